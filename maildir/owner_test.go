package maildir

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOwner: who may give files away gives all that is made in a Maildir to its owner, so that programs of that user can go on with it.
func TestOwner(t *testing.T) {
	if !mayChown() {
		t.Skip("only root, or who has CAP_CHOWN, can give files to others")
	}
	const uid, gid = 12345, 23456
	for layout, name := range map[Layout]string{MaildirPP: "Maildir++", FS: "fs"} {
		t.Run(name, func(t *testing.T) {
			home := filepath.Join(t.TempDir(), "home")
			if err := os.Mkdir(home, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(home, uid, gid); err != nil {
				t.Fatal(err)
			}
			root := filepath.Join(home, "mail", "Maildir")
			do := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			s, err := OpenStore(Options{Root: root, State: t.TempDir(), Layout: layout, Separator: '/', Create: true, Quota: Quota{Storage: 1 << 30}})
			do(err)
			defer s.Close()
			do(s.Create("Work/Deep"))
			do(s.SetSubscribed("Work/Deep", true))
			for _, mailbox := range []string{"INBOX", "Work/Deep"} {
				m, err := s.Open(mailbox)
				do(err)
				defer m.Release()
				var keywords []string // more than the letters there are
				for i := range 30 {
					keywords = append(keywords, fmt.Sprint("k", i))
				}
				(&box{Mailbox: m, t: t}).append("x", Seen, keywords...)
				do(s.SetMetadata(mailbox, map[string]*string{"/private/comment": &name}, 0))
			}
			n := 0
			do(filepath.WalkDir(filepath.Join(home, "mail"), func(path string, d fs.DirEntry, err error) error {
				var st unix.Stat_t
				if err == nil {
					err = unix.Lstat(path, &st)
				}
				if err == nil && (st.Uid != uid || st.Gid != gid) {
					t.Errorf("%s belongs to %d:%d", path, st.Uid, st.Gid)
				}
				n++
				return err
			}))
			if n < 18 {
				t.Errorf("only %d files and directories", n)
			}
		})
	}
}
