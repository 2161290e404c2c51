package store
import ("testing";"time";"sort";"os";"syscall";"fmt";"go.etcd.io/bbolt";"github.com/bulkhead-os/bulkhead/models/document";"github.com/bulkhead-os/bulkhead/models/key")
func TestProbe(t *testing.T){
 f,_:=os.Create(t.TempDir()+"/f"); data:=sample().TOML()
 n:=newNode(t); n.opt.Notify,n.opt.Evaluate=nil,nil
 s:=n.open()
 med:=func(d []time.Duration)time.Duration{sort.Slice(d,func(i,j int)bool{return d[i]<d[j]});return d[len(d)/2]}
 raw,_:=bbolt.Open(t.TempDir()+"/raw",0600,&bbolt.Options{FreelistType:bbolt.FreelistMapType})
 raw.Update(func(tx *bbolt.Tx)error{tx.CreateBucket([]byte("g"));return nil})
 ow,_:=os.Create(t.TempDir()+"/ow"); ow.Write(make([]byte,1<<20)); ow.Sync()
 var a,p,c,u,o,tm []time.Duration
 for i:=0;i<1500;i++{
  t0:=time.Now(); if os.Getenv("ONLY")=="" {f.Write(data); syscall.Fdatasync(int(f.Fd()))}; a=append(a,time.Since(t0))
  pt:=document.Patch{Set: document.Of(document.Leaf{Key:key.Of("motd"),Value:document.NewValue(fmt.Sprint(i))})}
  if i==0 {pt.Set=sample()}
  t0=time.Now(); s.Patch(t.Context(),PatchRequest{Tx:"t",Patch:pt}); p=append(p,time.Since(t0))
  t0=time.Now(); s.Commit(t.Context(),CommitRequest{Tx:"t"}); c=append(c,time.Since(t0))
  if os.Getenv("ONLY")!="" {continue}
  t0=time.Now(); raw.Update(func(tx *bbolt.Tx)error{ b:=tx.Bucket([]byte("g")); b.FillPercent=.9; b.Put(idKey(uint64(i)),data); if i>200{b.Delete(idKey(uint64(i-200)))}; return nil}); u=append(u,time.Since(t0))
  t0=time.Now(); ow.WriteAt(data[:4096],int64(i%200)*4096); syscall.Fdatasync(int(ow.Fd())); o=append(o,time.Since(t0))
  t0=time.Now(); s.Snapshot().User.TOML(); tm=append(tm,time.Since(t0))
 }
 fmt.Println("append",med(a),"patch",med(p),"commit",med(c),"ratio",float64(med(c))/float64(med(a)))
}
