package maildir

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A mailbox whose UIDs are used up, because a damaged uidlist or the state directory says so, gets another UIDVALIDITY and numbers from the beginning.
// Messages, flags and keywords are as they were.
func TestExhaustedUIDs(t *testing.T) {
	for name, list := range map[string]string{
		"header": "3 V%d N4294967295 G%s\n1 :1.a\n2 :2.b\n",
		"record": "3 V%d N3 G%s\n1 :1.a\n4294967294 :2.b\n",
		"state":  "3 V%d N3 G%s\n1 :1.a\n2 :2.b\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.put("cur", "1.a:2,S", "Subject: one\n\nbody\n")
			b.put("cur", "2.b:2,a", "Subject: two\n\nbody\n")
			if err := os.WriteFile(filepath.Join(b.dir, "dovecot-keywords"), []byte("0 work\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			b.sync()
			old, state := b.Status(), b.store.opt.State
			if name == "state" {
				b.mu.Lock()
				b.hdr.Next, b.unsaved = maxUID, true
				b.mu.Unlock()
			}
			b.shut()
			text := fmt.Sprintf(list, old.UIDValidity, old.GUID)
			if err := os.WriteFile(filepath.Join(b.dir, uidlistName), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			b = reopen(t, b.dir, state)
			if now := b.Status(); now.Messages != 2 || now.UIDNext != 3 || now.UIDValidity <= old.UIDValidity || now.GUID == old.GUID {
				t.Errorf("was %+v, is %+v", old, now)
			}
			if one, two := b.rec(1), b.rec(2); one.Flags != Seen || two.Keywords.Letters != 1 {
				t.Errorf("%+v, %+v", one, two)
			}
			if uid := b.append("Subject: three\n\nbody\n", 0); uid != 3 {
				t.Errorf("the next UID is %d", uid)
			}
			b.check()
		})
	}
}
