package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// graph is every import of ours: a package, then one line for each import that is not of the standard library, with the reason for it. Imports
// point one way, maildir/message < maildir < index < imap < main and imap/wire < imap. Do not add a line to make a build pass: the place of
// what you are writing is another package, or the value has to be handed down.
const graph = `
roost
	roost/internal/cli                        the commands

roost/internal/cli
	roost/internal/auth                       user: edits the passwd-file
	roost/internal/config                     reads the configuration file
	roost/internal/extract                    is the child that reads a document
	roost/internal/serve                      serve and check
	roost/internal/tlsconf                    shows the certificate's fingerprint
	roost/index                               index status
	github.com/alecthomas/kong                flags, arguments, help
	github.com/schollz/progressbar            index rebuild
	golang.org/x/sys                          signals
	golang.org/x/term                         passwords without echo

roost/internal/serve
	roost/imap                                is what is served
	roost/index                               opens and fills indexes
	roost/internal/auth                       users
	roost/internal/config                     what to serve
	roost/internal/sandbox                    gives up the rest of the file system
	roost/internal/systemd                    sockets from and news for the service manager
	roost/internal/tlsconf                    certificates
	roost/maildir                             opens users' mail
	golang.org/x/sys                          may the directories be written to

roost/internal/config
	github.com/pelletier/go-toml              TOML with the positions of mistakes

roost/internal/auth
	github.com/go-crypt/crypt                 crypt(3) schemes, argon2, bcrypt
	github.com/go-crypt/x                     yescrypt
	github.com/xdg-go/scram                   SCRAM with channel binding
	github.com/xdg-go/stringprep              SASLprep, as SCRAM compares names
	golang.org/x/crypto                       MD4 of one old scheme
	golang.org/x/sys                          locks and ownership of the passwd-file

roost/internal/sandbox
	github.com/landlock-lsm/go-landlock       Landlock for all threads

roost/internal/systemd
	github.com/coreos/go-systemd              sd_notify, sd_listen_fds

roost/internal/tlsconf

roost/internal/extract
	github.com/ledongthuc/pdf                 text of PDF
	golang.org/x/sys                          limits of that child
	golang.org/x/text                         charsets of XML

roost/internal/utf7

roost/internal/inflate

roost/imap
	roost/imap/wire                           reads commands, writes responses
	roost/index                               matches text, knows where it is
	roost/index/segment                       what a damaged index says
	roost/internal/auth                       logins
	roost/internal/inflate                    COMPRESS: what clients send
	roost/internal/tlsconf                    channel binding of a connection
	roost/maildir                             mailboxes and messages
	roost/maildir/message                     parts of messages
	github.com/emersion/go-imap               names of flags, codes, capabilities
	github.com/klauspost/compress             COMPRESS: deflate without state
	golang.org/x/sys                          has the client hung up

roost/imap/wire
	roost/internal/utf7                       mailbox names
	golang.org/x/text                         charsets of SEARCH

roost/index
	roost/index/segment                       the inverted index
	roost/index/words                         forms of words for SEARCH=FUZZY
	roost/internal/extract                    the text of attachments
	roost/maildir                             what mailboxes have
	roost/maildir/message                     the text of a message
	golang.org/x/sys                          lock of an index, priority of who fills it
	golang.org/x/text                         normal forms

roost/index/segment
	github.com/klauspost/compress             zstd of texts

roost/index/words
	github.com/blevesearch/bleve              stems and stop words
	golang.org/x/text                         accents

roost/maildir
	roost/internal/utf7                       names on disk
	roost/maildir/message                     sizes and structure for the cache
	github.com/emersion/go-maildir            makes a new Maildir
	golang.org/x/sys                          *at system calls
	golang.org/x/text                         names in NFC

roost/maildir/message
	github.com/emersion/go-message            charsets
	golang.org/x/text                         charsets it does not have
`

// never are packages of the standard library that would say that a package does what is not its job.
var never = map[string][]string{
	"roost/imap/wire":        {"net", "os", "log/slog", "crypto/tls"},
	"roost/imap":             {"path/filepath"},
	"roost/index":            {"net"},
	"roost/index/words":      {"net", "os", "log/slog"},
	"roost/maildir":          {"net", "crypto/tls"},
	"roost/maildir/message":  {"net", "os", "log/slog", "path/filepath"},
	"roost/internal/utf7":    {"net", "os", "log/slog"},
	"roost/internal/extract": {"net", "log/slog"},
	"roost/internal/inflate": {"net", "os", "log/slog"},
}

func TestImportGraph(t *testing.T) {
	want := map[string][]string{}
	pkg := ""
	for line := range strings.Lines(graph) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case !strings.HasPrefix(line, "\t"):
			pkg = words[0]
			want[pkg] = nil
		case len(words) < 2:
			t.Errorf("%s imports %s for no reason", pkg, words[0])
		default:
			want[pkg] = append(want[pkg], words[0])
		}
	}
	got := imports(t)
	for _, pkg := range slices.Sorted(maps.Keys(got)) {
		allowed, known := want[pkg]
		if !known {
			t.Errorf("package %s is not in the graph", pkg)
		}
		used := map[string]bool{}
		for _, path := range got[pkg] {
			dep := edge(path)
			used[dep] = true
			if dep != "" && !slices.Contains(allowed, dep) {
				t.Errorf("%s imports %s, which is not in the graph", pkg, path)
			}
			if slices.Contains(never[pkg], path) {
				t.Errorf("%s imports %s: not its job", pkg, path)
			}
		}
		for _, dep := range allowed {
			if !used[dep] {
				t.Errorf("%s no longer imports %s: take it out of the graph", pkg, dep)
			}
		}
	}
	for pkg := range want {
		if got[pkg] == nil {
			t.Errorf("there is no package %s", pkg)
		}
	}
}

// edge is what the graph calls an import path: the module of another's package, "" of the standard library.
func edge(path string) string {
	parts := strings.Split(path, "/")
	switch {
	case parts[0] == "roost":
		return path
	case !strings.Contains(parts[0], "."):
		return ""
	}
	return strings.Join(parts[:min(3, len(parts))], "/")
}

// imports collects the imports of all packages, without their tests, whatever the platform. Packages of tests alone are left out, and bench, which
// is a module of its own.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && file != "." && (strings.HasPrefix(name, ".") || name == "testdata" || file == "bench") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := path.Join("roost", filepath.ToSlash(filepath.Dir(file)))
		if all[pkg] == nil {
			all[pkg] = []string{}
		}
		for _, imp := range f.Imports {
			dep, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			all[pkg] = append(all[pkg], dep)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
