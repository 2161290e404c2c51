package store

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// The reader sees exactly what bbolt sees, in trees of every shape.
func TestWalkFile(t *testing.T) {
	tests := []struct {
		name   string
		values int
		size   int
	}{
		{"empty", 0, 0},
		{"bucket inside of a page", 1, 10},
		{"one leaf", 20, 50},
		{"branches", 500, 100},
		{"values over several pages", 30, 20_000},
		{"deep", 5000, 700},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "db")
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{}
			for round := range 3 { // the later ones free pages
				err = db.Update(func(tx *bbolt.Tx) error {
					for _, name := range []string{"a", "b"} {
						b, err := tx.CreateBucketIfNotExists([]byte(name))
						if err != nil {
							return err
						}
						for i := range tt.values {
							k, v := fmt.Sprintf("%07d", i*7%100003), strings.Repeat(fmt.Sprint(round), tt.size)
							want[name+k] = v
							if err := b.Put([]byte(k), []byte(v)); err != nil {
								return err
							}
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			data := readFile(t, path)
			got := map[string]string{}
			walkFile(bytes.NewReader(data), int64(len(data)), func(bucket, key, value []byte) {
				got[string(bucket)+string(key)] = string(value)
			}, func(err error) { t.Errorf("damage: %v", err) })
			if !maps.Equal(got, want) {
				t.Errorf("%d values found, want %d", len(got), len(want))
			}
		})
	}
}

// What bbolt would follow into the wrong pages, or write over, is found.
func TestWalkFileDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second round leaves free pages
		err = db.Update(func(tx *bbolt.Tx) error {
			for _, name := range []string{"a", "b"} {
				b, err := tx.CreateBucketIfNotExists([]byte(name))
				for i := 0; i < 500 && err == nil; i++ {
					err = b.Put(fmt.Appendf(nil, "%04d", i), make([]byte, 100))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	whole := readFile(t, path)
	m, err := readMeta(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	page := func(b []byte, id uint64) []byte { return b[id*uint64(m.pageSize):] }
	// root returns the value in which bucket i has its root page.
	root := func(b []byte, i int) []byte {
		_, _, v, ok := element(page(b, m.root), i, flagLeaf)
		if !ok {
			t.Fatalf("bucket %d not found", i)
		}
		return v
	}
	tests := []struct {
		name   string
		damage func(b []byte)
	}{
		{"two buckets share their pages", func(b []byte) { copy(root(b, 0), root(b, 1)) }},
		{"a page in use is listed as free", func(b []byte) { copy(page(b, m.freelist)[pageHeader:], root(b, 0)[:8]) }},
		{"a page is listed as free twice", func(b []byte) { ids := page(b, m.freelist)[pageHeader:]; copy(ids[8:16], ids[:8]) }},
		{"freelist longer than its page", func(b []byte) { order.PutUint16(page(b, m.freelist)[10:], 0xFFF0) }},
		{"freelist with a length of its own", func(b []byte) {
			order.PutUint16(page(b, m.freelist)[10:], 0xFFFF)
			order.PutUint64(page(b, m.freelist)[pageHeader:], 1<<60)
		}},
		{"bucket in no page", func(b []byte) { order.PutUint64(root(b, 0), m.high) }},
		{"bucket in the meta page", func(b []byte) { order.PutUint64(root(b, 0), 1) }},
		{"bucket that contains itself", func(b []byte) { order.PutUint64(root(b, 0), m.root) }},
		{"page that overflows the file", func(b []byte) { order.PutUint32(page(b, order.Uint64(root(b, 0)))[12:], 1<<31) }},
		{"key before its element", func(b []byte) { order.PutUint32(page(b, m.root)[pageHeader+4:], 0) }},
		{"value longer than the page", func(b []byte) { order.PutUint32(page(b, m.root)[pageHeader+12:], 1<<31) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := slices.Clone(whole)
			tt.damage(b)
			var found []error
			walkFile(bytes.NewReader(b), int64(len(b)), func(_, _, _ []byte) {}, func(err error) { found = append(found, err) })
			if len(found) == 0 {
				t.Error("no damage found")
			}
		})
	}
}

// Whatever the bytes are, reading them ends, and what is called whole can be
// used by bbolt.
func FuzzWalkFile(f *testing.F) {
	n := newNode(f)
	s := n.open()
	for i := range 6 {
		change(f, s, fmt.Sprintf("n = %d\npad = '%s'", i, strings.Repeat("p", 300*i)))
	}
	n.kill(s)
	db := readFile(f, n.path("settings.db"))
	f.Add(uint32(0), []byte{}, uint32(len(db)))
	f.Add(uint32(16), []byte{0xED, 0xDA}, uint32(len(db)))
	f.Add(uint32(4096*3+10), []byte{255, 255, 1}, uint32(len(db)-1000))
	path := filepath.Join(f.TempDir(), "db")
	f.Fuzz(func(t *testing.T, at uint32, change []byte, size uint32) {
		b := slices.Clone(db)[:min(int(size), len(db))]
		if int(at) < len(b) {
			copy(b[at:], change)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := readContents(path, keepHeaders)
		if err != nil {
			return
		}
		d, err := openDatabase(path, (*bbolt.DB).Update)
		if err != nil {
			t.Fatalf("openDatabase of what was found whole: %v", err)
		}
		for _, k := range c.kept {
			if v, err := d.get(bucketGenerations, idKey(k.ID)); err != nil || v == nil {
				t.Errorf("generation %d: %q, %v", k.ID, v, err)
			}
		}
		if err := d.update(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketAuthors).Put([]byte("x"), bytes.Repeat([]byte("y"), 9000))
		}); err != nil {
			t.Fatalf("update of what was found whole: %v", err)
		}
		if err := d.close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRuns(t *testing.T) {
	doc := parse(t, "a = 1\nb = 1\nc = 1\nd = 1")
	set := setBy{mustKey(t, "a"): 7, mustKey(t, "b"): 7, mustKey(t, "c"): 2, mustKey(t, "d"): 7}
	pairs := set.runs(doc)
	if want := []uint64{7, 2, 2, 1, 7, 1}; !slices.Equal(pairs, want) {
		t.Errorf("runs = %v, want %v", pairs, want)
	}
	back, err := unroll(pairs, doc)
	if err != nil || !maps.Equal(back, set) {
		t.Errorf("unroll(%v) = %v, %v, want %v", pairs, back, err, set)
	}
	for _, bad := range [][]uint64{nil, {7}, {7, 3}, {7, 5}, {7, 0, 7, 4}, {7, 4, 7}, {7, 1 << 63}} {
		if _, err := unroll(bad, doc); err == nil {
			t.Errorf("unroll(%v) for four settings: no error", bad)
		}
	}
}
