package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// bbolt trusts its file: a page that is damaged or missing makes it read
// outside of its memory map, which ends the process. So the file is read here
// first, page by page with every length checked, and only what holds together
// is given to bbolt. The same reader gets out of a damaged file what is left.
//
// The format is that of bbolt's internal/common, version 2, in the byte order
// of the machine.

const (
	pageHeader  = 16
	elementSize = 16 // of branch and leaf elements alike
	bucketSize  = 16 // root page, sequence
	metaSize    = 64

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	flagBucket   = 0x01 // of a leaf element

	boltMagic   = 0xED0CDAED
	boltVersion = 2
	noFreelist  = ^uint64(0)
	maxDepth    = 32 // of pages and buckets together; ours has three levels or four
)

var order = binary.NativeEndian

// A meta is what one of the two meta pages says.
type meta struct {
	pageSize             int
	root, freelist, high uint64 // pages; high is the number of pages in use
	tx                   uint64
}

func parseMeta(b []byte) (meta, bool) {
	if len(b) < pageHeader+metaSize {
		return meta{}, false
	}
	b = b[pageHeader : pageHeader+metaSize]
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	m := meta{
		pageSize: int(order.Uint32(b[8:])),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		high:     order.Uint64(b[40:]),
		tx:       order.Uint64(b[48:]),
	}
	ok := order.Uint32(b) == boltMagic && order.Uint32(b[4:]) == boltVersion && order.Uint64(b[56:]) == sum.Sum64() &&
		m.pageSize >= 512 && m.pageSize <= 1<<16 && m.pageSize&(m.pageSize-1) == 0
	return m, ok
}

// readMeta returns the meta that bbolt will use: the newer one that is whole.
func readMeta(r io.ReaderAt) (meta, error) {
	at := func(offset int64) (meta, bool) {
		b := make([]byte, pageHeader+metaSize)
		n, _ := r.ReadAt(b, offset) // what cannot be read is no meta
		return parseMeta(b[:n])
	}
	first, ok := at(0)
	if ok {
		if second, ok := at(int64(first.pageSize)); ok && second.pageSize == first.pageSize && second.tx > first.tx {
			return second, nil
		}
		return first, nil
	}
	for size := 1024; size <= 1<<16; size *= 2 { // the sizes that bbolt looks for
		if second, ok := at(int64(size)); ok && second.pageSize == size {
			return second, nil
		}
	}
	return meta{}, errors.New("both meta pages are damaged")
}

// A walk visits what a bbolt file holds.
type walk struct {
	r    io.ReaderAt
	meta meta
	seen []bool // pages that were visited
	// visit gets every value; bucket is the name of the innermost bucket. The
	// slices hold for the call only.
	visit func(bucket, key, value []byte)
	// damage gets what is wrong. The walk goes on with the rest.
	damage func(error)
}

// walkFile visits the file of the given size.
func walkFile(r io.ReaderAt, size int64, visit func(bucket, key, value []byte), damage func(error)) {
	m, err := readMeta(r)
	if err != nil {
		damage(err)
		return
	}
	pages := uint64(size) / uint64(m.pageSize)
	if m.high > pages {
		damage(fmt.Errorf("file has %d pages, %d are in use", pages, m.high))
		m.high = pages
	}
	w := &walk{r: r, meta: m, seen: make([]bool, m.high), visit: visit, damage: damage}
	w.tree(m.root, bounds{}, nil, maxDepth)
	if m.freelist != noFreelist {
		w.freelist(m.freelist)
	}
}

// page returns the page id with what overflows from it, which nothing else
// may refer to.
func (w *walk) page(id uint64) (b []byte, flags uint16, count int, err error) {
	size := uint64(w.meta.pageSize)
	if id < 2 || id >= w.meta.high {
		return nil, 0, 0, fmt.Errorf("page %d is outside of the file", id)
	}
	head := make([]byte, pageHeader)
	if _, err := w.r.ReadAt(head, int64(id*size)); err != nil {
		return nil, 0, 0, fmt.Errorf("read page %d: %w", id, err)
	}
	n := uint64(order.Uint32(head[12:])) + 1
	if order.Uint64(head) != id || n > w.meta.high-id {
		return nil, 0, 0, fmt.Errorf("page %d has a damaged header", id)
	}
	for i := id; i < id+n; i++ {
		if w.seen[i] {
			return nil, 0, 0, fmt.Errorf("page %d is used twice", i)
		}
		w.seen[i] = true
	}
	b = make([]byte, n*size)
	if _, err := w.r.ReadAt(b, int64(id*size)); err != nil {
		return nil, 0, 0, fmt.Errorf("read page %d: %w", id, err)
	}
	return b, order.Uint16(b[8:]), int(order.Uint16(b[10:])), nil
}

// bounds are the keys between which those of a subtree lie; nil is open.
type bounds struct{ from, to []byte }

// tree visits the pages of one bucket from page id down.
func (w *walk) tree(id uint64, within bounds, bucket []byte, depth int) {
	b, flags, count, err := w.page(id)
	if err == nil && depth == 0 {
		err = fmt.Errorf("page %d lies too deep", id)
	}
	if err == nil && flags != flagBranch && flags != flagLeaf {
		err = fmt.Errorf("page %d is no part of a tree", id)
	}
	if err == nil && flags == flagBranch && count == 0 {
		err = fmt.Errorf("page %d has no children", id)
	}
	if err != nil {
		w.damage(err)
		return
	}
	if flags == flagLeaf {
		w.leaf(b, count, id, within, bucket, depth)
		return
	}
	w.branch(b, count, id, within, bucket, depth)
}

func (w *walk) branch(b []byte, count int, id uint64, within bounds, bucket []byte, depth int) {
	type child struct {
		key []byte
		id  uint64
	}
	var children []child
	for i := range count {
		e, k, _, ok := element(b, i, flagBranch)
		if !ok {
			w.damage(fmt.Errorf("page %d: element %d is damaged", id, i))
			continue
		}
		if n := len(children); n > 0 && bytes.Compare(children[n-1].key, k) >= 0 {
			w.damage(fmt.Errorf("page %d: keys are out of order", id))
		}
		children = append(children, child{k, order.Uint64(e[8:])})
	}
	for i, c := range children {
		inner := bounds{from: c.key, to: within.to}
		if i == 0 {
			inner.from = within.from // the first key may be greater than what lies below
		}
		if i+1 < len(children) {
			inner.to = children[i+1].key
		}
		w.tree(c.id, inner, bucket, depth-1)
	}
}

func (w *walk) leaf(b []byte, count int, id uint64, within bounds, bucket []byte, depth int) {
	var last []byte
	for i := range count {
		e, k, v, ok := element(b, i, flagLeaf)
		if !ok {
			w.damage(fmt.Errorf("page %d: element %d is damaged", id, i))
			continue
		}
		if i > 0 && bytes.Compare(last, k) >= 0 || within.from != nil && bytes.Compare(k, within.from) < 0 || within.to != nil && bytes.Compare(k, within.to) >= 0 {
			w.damage(fmt.Errorf("page %d: keys are out of order", id))
		}
		last = k
		if order.Uint32(e)&flagBucket == 0 {
			w.visit(bucket, k, v)
			continue
		}
		w.bucket(k, v, id, depth)
	}
}

// bucket visits the bucket called name. A small one has its only page inside
// the value.
func (w *walk) bucket(name, v []byte, id uint64, depth int) {
	switch {
	case len(v) < bucketSize || depth == 0:
		w.damage(fmt.Errorf("page %d: bucket is damaged", id))
	case order.Uint64(v) != 0:
		w.tree(order.Uint64(v), bounds{}, name, depth-1)
	case len(v) < bucketSize+pageHeader || order.Uint16(v[bucketSize+8:]) != flagLeaf:
		w.damage(fmt.Errorf("page %d: bucket is damaged", id))
	default:
		inner := v[bucketSize:]
		w.leaf(inner, int(order.Uint16(inner[10:])), id, bounds{}, name, 0) // no bucket lies in an inner page
	}
}

// element returns element i of page b with its key and, of a leaf, its value.
func element(b []byte, i int, kind uint16) (e, k, v []byte, ok bool) {
	at := uint64(pageHeader + i*elementSize)
	if at+elementSize > uint64(len(b)) {
		return nil, nil, nil, false
	}
	e = b[at:]
	var pos, ksize, vsize uint64
	if kind == flagBranch {
		pos, ksize = uint64(order.Uint32(e)), uint64(order.Uint32(e[4:]))
	} else {
		pos, ksize, vsize = uint64(order.Uint32(e[4:])), uint64(order.Uint32(e[8:])), uint64(order.Uint32(e[12:]))
	}
	if pos < elementSize || pos+ksize+vsize > uint64(len(e)) || ksize == 0 {
		return nil, nil, nil, false
	}
	return e[:elementSize], e[pos : pos+ksize], e[pos+ksize : pos+ksize+vsize], true
}

// freelist checks that the pages listed as free are so: bbolt writes to them.
func (w *walk) freelist(id uint64) {
	b, flags, count, err := w.page(id)
	if err != nil || flags != flagFreelist {
		w.damage(fmt.Errorf("freelist on page %d is damaged", id))
		return
	}
	ids := b[pageHeader:]
	n := uint64(count)
	if count == 0xFFFF { // too many for the header: the number comes first
		n, ids = order.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids))/8 {
		w.damage(fmt.Errorf("freelist on page %d is longer than its page", id))
		return
	}
	for i := range n {
		free := order.Uint64(ids[8*i:])
		if free < 2 || free >= w.meta.high || w.seen[free] {
			w.damage(fmt.Errorf("page %d is listed as free and is not", free))
			return
		}
		w.seen[free] = true
	}
}
