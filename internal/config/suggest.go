package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// suggest says which key may have been meant: the nearest one of the same table, or one of that name elsewhere.
func suggest(name, at string, known map[string]reflect.Value) string {
	best, distance := "", 3
	names := make([]string, 0, len(known))
	for k := range known {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		if d := edits(strings.ToLower(name), k); d < distance && d < len(k)-1 {
			best, distance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	for _, k := range Keys() {
		if table, last, ok := cut(k); ok && last == strings.ToLower(name) && table != at {
			return fmt.Sprintf("; did you mean it in [%s]?", table)
		}
	}
	return "; the keys here are " + strings.Join(names, ", ")
}

func cut(key string) (table, name string, ok bool) {
	i := strings.LastIndexByte(key, '.')
	if i < 0 {
		return "", key, false
	}
	return key[:i], key[i+1:], true
}

// Keys lists every key that can be set, "limits.append", in the order of the struct.
func Keys() []string { return keysOf("", reflect.TypeFor[Config]()) }

func keysOf(at string, t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("toml")
		switch {
		case tag == "":
		case f.Type.Kind() == reflect.Struct:
			keys = append(keys, keysOf(join(at, tag), f.Type)...)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			keys = append(keys, keysOf(join(at, tag), f.Type.Elem())...)
		default:
			keys = append(keys, join(at, tag))
		}
	}
	return keys
}

// edits is the Levenshtein distance; long strings count as far apart.
func edits(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
