package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Problem is a mistake in the configuration.
type Problem struct {
	File string
	Line int    // 0: none
	Key  string // "limits.append"; "": none
	Text string // what is wrong and how to mend it
}

func (p Problem) String() string {
	s := p.File
	if p.Line > 0 {
		s += ":" + strconv.Itoa(p.Line)
	}
	if p.Key != "" {
		s += ": " + p.Key
	}
	return s + ": " + p.Text
}

// Problems are all mistakes found, in the order of the file.
type Problems []Problem

// Sort puts them in that order, file by file.
func (p Problems) Sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, strings.Compare(a.Key, b.Key))
	})
}

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// Load reads a configuration file; keys that are not set, or not to something of their type, have their defaults. The error is that of the file system,
// or Problems when it is no TOML. Everything else that is wrong Check tells.
func Load(file string) (*Config, error) {
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s does not exist; copy example.conf there or name another with --config", file)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w; give %s the right to read it, or name another with --config", err, whoami())
	case err != nil:
		return nil, fmt.Errorf("%w; name a configuration file with --config", err)
	}
	return Parse(file, data)
}

// Parse reads the contents of a configuration file. file is its name in messages.
func Parse(file string, data []byte) (*Config, error) {
	var tree map[string]any
	if err := toml.Unmarshal(data, &tree); err != nil { // grammar, and keys set twice
		p := Problem{File: file, Text: strings.TrimPrefix(err.Error(), "toml: ")}
		var de *toml.DecodeError
		if errors.As(err, &de) {
			p.Line, _ = de.Position()
			p.Key = strings.Join(de.Key(), ".")
		}
		return nil, Problems{p}
	}
	l := &loader{file: file, lines: map[string]int{}}
	l.locate(data)
	c := Default()
	c.file, c.lines = file, l.lines
	l.table("", tree, reflect.ValueOf(c).Elem())
	c.unread = l.problems
	return c, nil
}

// loader puts the values of a file into the struct.
type loader struct {
	file     string
	lines    map[string]int // "mail.folder[0].name": 12
	problems Problems
}

func (l *loader) problem(key, format string, args ...any) {
	l.problems = append(l.problems, Problem{l.file, lineOf(l.lines, key), key, fmt.Sprintf(format, args...)})
}

// lineOf finds the line of a key, or of what it is in.
func lineOf(lines map[string]int, key string) int {
	for key != "" {
		if n := lines[key]; n > 0 {
			return n
		}
		key = key[:max(strings.LastIndexAny(key, ".["), 0)]
	}
	return 0
}

// locate notes the line of every key.
func (l *loader) locate(data []byte) {
	p := unstable.Parser{}
	p.Reset(data)
	table, seen := "", map[string]int{}
	for p.NextExpression() {
		e := p.Expression()
		key, line := path(&p, e)
		switch e.Kind {
		case unstable.Table:
			table = indexed(key, seen)
			l.lines[table] = line
		case unstable.ArrayTable:
			table = fmt.Sprintf("%s[%d]", indexed(key, seen), seen[key])
			seen[key]++
			l.lines[table] = line
		case unstable.KeyValue:
			l.lines[join(table, key)] = line
		}
	}
}

// indexed names the last element where a table header goes through an array of tables.
func indexed(key string, seen map[string]int) string {
	if i := strings.LastIndexByte(key, '.'); i > 0 && seen[key[:i]] > 0 {
		return fmt.Sprintf("%s[%d]%s", key[:i], seen[key[:i]]-1, key[i:])
	}
	return key
}

func path(p *unstable.Parser, e *unstable.Node) (key string, line int) {
	for it := e.Key(); it.Next(); {
		n := it.Node()
		key = join(key, string(n.Data))
		line = p.Shape(n.Raw).Start.Line
	}
	return key, line
}

func join(table, key string) string {
	if table == "" {
		return key
	}
	return table + "." + key
}

// table puts the keys of a TOML table into a struct.
func (l *loader) table(at string, values map[string]any, into reflect.Value) {
	known := map[string]reflect.Value{}
	for i := range into.NumField() {
		if tag := into.Type().Field(i).Tag.Get("toml"); tag != "" {
			known[tag] = into.Field(i)
		}
	}
	for name, v := range values {
		key := join(at, name)
		if field, ok := known[name]; ok {
			l.value(key, v, field)
		} else {
			l.problem(key, "unknown key%s", suggest(name, at, known))
		}
	}
}

// value puts one value into a field, if it has its type.
func (l *loader) value(key string, v any, into reflect.Value) {
	switch target := into.Addr().Interface().(type) {
	case *string:
		if s, ok := v.(string); ok {
			*target = s
			return
		}
		l.problem(key, "must be a string in quotes, not %s", kind(v))
	case *int:
		if n, ok := v.(int64); ok && int64(int(n)) == n {
			*target = int(n)
			return
		}
		l.problem(key, "must be an integer without quotes, not %s", kind(v))
	case *bool:
		if b, ok := v.(bool); ok {
			*target = b
			return
		}
		l.problem(key, "must be true or false without quotes, not %s", kind(v))
	case *Memory:
		var err error
		switch v := v.(type) {
		case int64:
			*target = Memory{Size: Size(v)}
		case string:
			*target, err = ParseMemory(v)
		default:
			err = fmt.Errorf("must be a size like \"512 MiB\" or a share like \"50%%\", not %s", kind(v))
		}
		if err != nil {
			l.problem(key, "%v", err)
		}
	case *Size:
		var err error
		switch v := v.(type) {
		case int64:
			*target = Size(v)
		case string:
			*target, err = ParseSize(v)
		default:
			err = fmt.Errorf("must be a size like \"64 KiB\", not %s", kind(v))
		}
		if err != nil {
			l.problem(key, "%v", err)
		}
	case *Duration:
		s, ok := v.(string)
		d, err := ParseDuration(s)
		if !ok {
			err = fmt.Errorf("must be a duration in quotes like \"30m\", not %s", kind(v))
		}
		if err != nil {
			l.problem(key, "%v", err)
			return
		}
		*target = d
	case *Strings:
		l.strings(key, v, target)
	case *[]Folder:
		l.folders(key, v, target)
	default:
		if t, ok := v.(map[string]any); ok {
			l.table(key, t, into)
			return
		}
		l.problem(key, "must be a table, [%s], not %s", key, kind(v))
	}
}

func (l *loader) strings(key string, v any, into *Strings) {
	list, ok := v.([]any)
	if s, one := v.(string); one {
		list, ok = []any{s}, true
		if s == "" {
			list = nil
		}
	}
	all := make(Strings, 0, len(list))
	for _, e := range list {
		var s string
		if s, ok = e.(string); !ok {
			break
		}
		all = append(all, s)
	}
	if !ok {
		l.problem(key, "must be a string or a list of strings, not %s", kind(v))
		return
	}
	*into = all
}

func (l *loader) folders(key string, v any, into *[]Folder) {
	list, ok := v.([]any)
	if !ok {
		l.problem(key, "must be written as [[%s]], once for each folder", key)
		return
	}
	*into = make([]Folder, len(list)) // what the file lists replaces the defaults
	for i, e := range list {
		at := fmt.Sprintf("%s[%d]", key, i)
		(*into)[i].Auto = "no"
		if t, ok := e.(map[string]any); ok {
			l.table(at, t, reflect.ValueOf(&(*into)[i]).Elem())
		} else {
			l.problem(at, "must be a table, not %s", kind(e))
		}
	}
}

// kind names the type of a value in the words of TOML.
func kind(v any) string {
	switch v := v.(type) {
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a number with a fraction"
	case bool:
		return fmt.Sprint(v)
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a date"
}

// Unread tells whether a key, or something that it is in or that is in it, was set to what it cannot be: what its value is then says nothing.
func (c *Config) Unread(key string) bool {
	within := func(a, b string) bool {
		rest, ok := strings.CutPrefix(a, b)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	}
	return slices.ContainsFunc(c.unread, func(p Problem) bool { return within(key, p.Key) || within(p.Key, key) })
}

// Line is where a key was set, 0 when it was not.
func (c *Config) Line(key string) int { return lineOf(c.lines, key) }
