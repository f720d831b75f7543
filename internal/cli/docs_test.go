package cli

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var (
	codeBlock  = regexp.MustCompile("(?ms)^```[a-z]*$(.*?)^```$")
	inlineCode = regexp.MustCompile("`([^`\n]+)`")
	comment    = regexp.MustCompile(`\s+#.*|\s{2,}.*`) // "# what it does", or in a second column
)

// documented finds the command lines of roost in a text, and what stands inside of sentences: a command without its arguments, or flags.
func documented(text string) (lines, mentions []string) {
	own := func(line string) (string, bool) {
		line = comment.ReplaceAllString(strings.TrimSpace(line), "")
		for _, name := range []string{"roost ", "go run . ", "/usr/local/bin/roost "} {
			if rest, ok := strings.CutPrefix(line, name); ok {
				rest, _, _ = strings.Cut(rest, " < ")
				return rest, true
			}
		}
		return "", false
	}
	for _, block := range codeBlock.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[1]) {
			if args, ok := own(line); ok {
				lines = append(lines, args)
			}
		}
	}
	for _, code := range inlineCode.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		if args, ok := own(code[1]); ok {
			mentions = append(mentions, args)
		} else if strings.HasPrefix(code[1], "--") {
			mentions = append(mentions, code[1])
		}
	}
	return lines, mentions
}

// TestDocumentedCommands: every command line that README, help and configuration show is one that the program understands.
func TestDocumentedCommands(t *testing.T) {
	std := &streams{os.Stdin, io.Discard, io.Discard}
	texts := map[string]string{}
	for _, name := range []string{"README.md", "ARCHITECTURE.md", "CHANGELOG.md", "example.conf"} {
		b, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(b)
	}
	model := newParser(std).Model
	flags := map[string]bool{}
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			flags["--"+f.Name] = true
		}
		if n.Detail != "" || n == model.Node {
			texts["help of "+n.FullPath()] = "```\n" + n.Help + "\n" + n.Detail + "\n```\n"
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(model.Node)
	total := 0
	for name, text := range texts {
		lines, mentions := documented(text)
		total += len(lines)
		if (name == "README.md" || strings.HasPrefix(name, "help")) && len(lines) == 0 {
			t.Errorf("%s: no command lines found", name)
		}
		for _, line := range lines {
			func() {
				defer func() {
					if p := recover(); p != nil && p != exit(0) { // --help
						panic(p)
					}
				}()
				if _, err := newParser(std).Parse(strings.Fields(line)); err != nil {
					t.Errorf("%s: roost %s: %v", name, line, err)
				}
			}()
		}
		for _, mention := range mentions {
			args := strings.Fields(mention)
			if strings.HasPrefix(mention, "--") {
				if flag, _, _ := strings.Cut(args[0], "="); !flags[flag] {
					t.Errorf("%s: `%s`: there is no such flag", name, mention)
				}
				continue
			}
			c, err := kong.Trace(newParser(std), args)
			if err == nil {
				err = c.Error
			}
			if err != nil {
				t.Errorf("%s: `roost %s`: %v", name, mention, err)
			}
		}
	}
	if total < 20 {
		t.Errorf("only %d command lines found", total)
	}
}
