package wire

import (
	"errors"
	"reflect"
	"testing"
)

func TestParseSort(t *testing.T) {
	search := func(r SearchReturn, charset string) Search {
		return Search{Return: r, Charset: charset, Key: &KeyAnd{}}
	}
	accepts(t, ParseSort, map[string]*Sort{
		" (SUBJECT) UTF-8 ALL": {search(SearchReturn{}, "UTF-8"), []SortCriterion{{SortSubject, false}}},
		` ( reverse  Date arrival ) "us-ascii" ALL`: {search(SearchReturn{}, "US-ASCII"),
			[]SortCriterion{{SortDate, true}, {SortArrival, false}}},
		" (CC FROM REVERSE SIZE TO DISPLAYFROM DISPLAYTO) UTF-8 ALL": {search(SearchReturn{}, "UTF-8"),
			[]SortCriterion{{SortCc, false}, {SortFrom, false}, {SortSize, true}, {SortTo, false}, {SortDisplayFrom, false}, {SortDisplayTo, false}}},
		" (DATE REVERSE DATE SIZE DATE) UTF-8 ALL": {search(SearchReturn{}, "UTF-8"), []SortCriterion{{SortDate, false}, {SortSize, false}}},
		" RETURN () (DATE) UTF-8 ALL":              {search(SearchReturn{Present: true, All: true}, "UTF-8"), []SortCriterion{{SortDate, false}}},
		" RETURN (MIN SAVE) (DATE) UTF-8 ALL": {search(SearchReturn{Present: true, Min: true, Save: true}, "UTF-8"),
			[]SortCriterion{{SortDate, false}}},
	})
	accepts(t, ParseSort, map[string]*Sort{
		" RETURN (PARTIAL 1:10) (RELEVANCY reverse date) UTF-8 FUZZY TEXT World": {
			Search{Return: SearchReturn{Present: true, Partial: &PageRange{1, 10, false}}, Charset: "UTF-8", Key: &KeyFuzzy{&KeyText{true, "World"}}, fuzzy: true},
			[]SortCriterion{{SortRelevancy, false}, {SortDate, true}}},
	})
	refuses(t, ParseSort, " (RELEVANCY) UTF-8 TEXT World", " RETURN (RELEVANCY) (DATE) UTF-8 ALL", "", " ", " ()", " () UTF-8 ALL", " (DATE)", " (DATE) ", " (DATE) UTF-8", " (DATE) UTF-8 ", " (DATE) ALL", " DATE UTF-8 ALL",
		" (REVERSE) UTF-8 ALL", " (REVERSE REVERSE DATE) UTF-8 ALL", " (BCC) UTF-8 ALL", " (DATE)UTF-8 ALL", " RETURN (DATE) UTF-8 ALL",
		" RETURN () UTF-8 ALL", " (DATE) UTF-8 ALL)", " (DATE (SIZE)) UTF-8 ALL", ` ("DATE") UTF-8 ALL`)
	c, err := ParseSort(decode(" RETURN (SAVE) (DATE) X-KLINGON ALL"))
	var unknown *CharsetError
	if !errors.As(err, &unknown) || c == nil || !c.Return.Save {
		t.Errorf("an unknown charset: %+v, %v", c, err)
	}
}

func FuzzSort(f *testing.F) {
	for _, s := range []string{
		" (SUBJECT REVERSE DATE) UTF-8 ALL", " RETURN (MIN COUNT SAVE) (ARRIVAL CC FROM SIZE TO DISPLAYTO REVERSE DISPLAYFROM) US-ASCII OR SEEN $", " RETURN () (DATE) \"koi8-r\" TEXT \"\xc1\"", " RETURN (RELEVANCY ALL) (RELEVANCY) UTF-8 FUZZY TEXT Helo",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, args string) {
		c, err := ParseSort(decode(args))
		if err != nil {
			return
		}
		printed := printSort(c)
		again, err := ParseSort(NewDecoder([]byte(printed), 200))
		if err != nil {
			t.Fatalf("%q -> %q: %v", args, printed, err)
		}
		c.Charset = "UTF-8"
		if !reflect.DeepEqual(c, again) {
			t.Fatalf("%q -> %q -> %q", args, printed, printSort(again))
		}
	})
}

func TestParseThread(t *testing.T) {
	accepts(t, ParseThread, map[string]*Thread{
		" REFERENCES UTF-8 ALL": {Search{Charset: "UTF-8", Key: &KeyAnd{}}, "REFERENCES"},
		" refs us-ascii ALL":    {Search{Charset: "US-ASCII", Key: &KeyAnd{}}, "REFS"},
	})
	refuses(t, ParseThread, "", " ", " REFS", " REFS ", " REFS UTF-8", " REFS UTF-8 ", " REFS ALL", " (REFS) UTF-8 ALL", ` "REFS" UTF-8 ALL`, " REFS UTF-8 ALL)")
	c, err := ParseThread(decode(" REFS X-KLINGON ALL"))
	var unknown *CharsetError
	if !errors.As(err, &unknown) || c == nil {
		t.Errorf("an unknown charset: %+v, %v", c, err)
	}
}

func FuzzThread(f *testing.F) {
	for _, s := range []string{" REFERENCES UTF-8 ALL", " orderedsubject \"koi8-r\" TEXT \"\xc1\"", " REFS US-ASCII OR SEEN $"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, args string) {
		c, err := ParseThread(decode(args))
		if err != nil {
			return
		}
		printed := " " + c.Algorithm + " UTF-8 " + printKey(c.Key)
		again, err := ParseThread(NewDecoder([]byte(printed), 200))
		if err != nil {
			t.Fatalf("%q -> %q: %v", args, printed, err)
		}
		c.Charset = "UTF-8"
		if !reflect.DeepEqual(c, again) {
			t.Fatalf("%q -> %q -> %v", args, printed, again)
		}
	})
}
