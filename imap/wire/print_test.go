package wire

import (
	"fmt"
	"strings"
)

// The inverse of parsing, for the property that what is printed parses to the same value.

func printSet(s Set) string {
	if s.Saved {
		return "$"
	}
	number := func(n uint32) string {
		if n == Star {
			return "*"
		}
		return fmt.Sprint(n)
	}
	var parts []string
	for _, r := range s.Ranges {
		if r.First == r.Last {
			parts = append(parts, number(r.First))
		} else {
			parts = append(parts, number(r.First)+":"+number(r.Last))
		}
	}
	return strings.Join(parts, ",")
}

func printString(s string) string { return string(AppendString(nil, s, true)) }

// printFetch prints the arguments of FETCH.
func printFetch(c *Fetch) string {
	var modifiers []string
	if c.ChangedSince != nil {
		modifiers = append(modifiers, fmt.Sprint("CHANGEDSINCE ", *c.ChangedSince))
	}
	if c.Vanished {
		modifiers = append(modifiers, "VANISHED")
	}
	if c.Partial != nil {
		modifiers = append(modifiers, printPage(c.Partial))
	}
	text := " " + printSet(c.Set) + " " + printItems(c.Items)
	if modifiers != nil {
		text += " (" + strings.Join(modifiers, " ") + ")"
	}
	return text
}

func printItems(list []FetchItem) string {
	var items []string
	for _, item := range list {
		switch item := item.(type) {
		case FetchAtt:
			items = append(items, string(item))
		case *FetchSection:
			items = append(items, printSection(item))
		}
	}
	return "(" + strings.Join(items, " ") + ")"
}

func printSection(s *FetchSection) string {
	peek := ""
	if s.Peek {
		peek = ".PEEK"
	}
	name := "BODY" + peek
	switch {
	case s.Obsolete != "":
		return s.Obsolete + peek
	case s.BinarySize:
		name = "BINARY.SIZE"
	case s.Binary:
		name = "BINARY" + peek
	}
	var inside []string
	for _, n := range s.Part {
		inside = append(inside, fmt.Sprint(n))
	}
	for word, spec := range sectionTexts {
		if spec == s.Spec {
			inside = append(inside, word)
		}
	}
	text := strings.Join(inside, ".")
	if s.Fields != nil {
		var fields []string
		for _, f := range s.Fields {
			fields = append(fields, printString(f))
		}
		text += " (" + strings.Join(fields, " ") + ")"
	}
	name += "[" + text + "]"
	if s.Partial != nil {
		name += fmt.Sprintf("<%d.%d>", s.Partial.Offset, s.Partial.Count)
	}
	return name
}

// printSearch prints the arguments of SEARCH; strings are UTF-8.
func printSearch(c *Search) string { return printReturn(c.Return) + " " + printKey(c.Key) }

func printReturn(r SearchReturn) string {
	if !r.Present {
		return ""
	}
	var words []string
	for _, o := range []struct {
		word string
		set  bool
	}{{"MIN", r.Min}, {"MAX", r.Max}, {"ALL", r.All}, {"COUNT", r.Count}, {"SAVE", r.Save}, {"CONTEXT", r.Context}, {"UPDATE", r.Update && r.Fetch == nil}, {"RELEVANCY", r.Relevancy}} {
		if o.set {
			words = append(words, o.word)
		}
	}
	if r.Fetch != nil {
		words = append(words, "UPDATE "+printItems(r.Fetch))
	}
	if r.Partial != nil {
		words = append(words, printPage(r.Partial))
	}
	return " RETURN (" + strings.Join(words, " ") + ")"
}

func printPage(r *PageRange) string {
	sign := ""
	if r.FromEnd {
		sign = "-"
	}
	return fmt.Sprintf("PARTIAL %s%d:%s%d", sign, r.First, sign, r.Last)
}

// printSort prints the arguments of SORT; strings are UTF-8.
func printSort(c *Sort) string {
	var criteria []string
	for _, by := range c.Criteria {
		for word, key := range sortKeys {
			if key == by.Key {
				if by.Reverse {
					word = "REVERSE " + word
				}
				criteria = append(criteria, word)
			}
		}
	}
	return printReturn(c.Return) + " (" + strings.Join(criteria, " ") + ") UTF-8 " + printKey(c.Key)
}

func printKey(key SearchKey) string {
	pick := func(yes bool, a, b string) string {
		if yes {
			return a
		}
		return b
	}
	switch k := key.(type) {
	case *KeyAnd:
		if len(k.Keys) == 0 {
			return "ALL"
		}
		var keys []string
		for _, sub := range k.Keys {
			keys = append(keys, printKey(sub))
		}
		return "(" + strings.Join(keys, " ") + ")"
	case *KeyOr:
		return "OR " + printKey(k.A) + " " + printKey(k.B)
	case *KeyNot:
		return "NOT " + printKey(k.Key)
	case *KeyFuzzy:
		return "FUZZY " + printKey(k.Key)
	case *KeySet:
		return pick(k.UID, "UID ", "") + printSet(k.Set)
	case *KeyFlag:
		switch {
		case k.Flag == `\Recent`:
			return pick(k.Want, "RECENT", "OLD")
		case k.Flag[0] == '\\':
			return pick(k.Want, "", "UN") + strings.ToUpper(k.Flag[1:])
		}
		return pick(k.Want, "KEYWORD ", "UNKEYWORD ") + k.Flag
	case *KeyHeader:
		return "HEADER " + printString(k.Field) + " " + printString(k.Value)
	case *KeyText:
		return pick(k.Headers, "TEXT ", "BODY ") + printString(k.Value)
	case *KeyDate:
		return [...]string{"", "SENT", "SAVED"}[k.Of] + [...]string{"BEFORE ", "ON ", "SINCE "}[k.Cmp] + k.Day.Format("2-Jan-2006")
	case *KeySize:
		return pick(k.Larger, "LARGER ", "SMALLER ") + fmt.Sprint(k.N)
	case *KeyAge:
		return pick(k.Younger, "YOUNGER ", "OLDER ") + fmt.Sprint(k.Seconds)
	case *KeyModSeq:
		return fmt.Sprint("MODSEQ ", k.N)
	case *KeyObjectID:
		return pick(k.Thread, "THREADID ", "EMAILID ") + k.ID
	case *KeyFilter:
		return "FILTER " + k.Name
	case *KeySaveDateSupported:
		return "SAVEDATESUPPORTED"
	}
	panic(fmt.Sprintf("no such key: %T", key))
}
