package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// pageTitle begins the page of results, above the sections.
const pageTitle = "# Roost beside Dovecot\n\nEach section is one run; README.md says what is measured and how.\n"

// heading names the section of the page that a run with these options makes, in place of the last such run's.
func (o *options) heading() string {
	switch {
	case o.search:
		return "Searches of " + human(o.messages) + " messages"
	case o.corpus != "":
		return human(o.messages) + " messages, copies of real mail"
	}
	return human(o.messages) + " messages"
}

// plotName is the file of the plot of a section.
func (o *options) plotName() string {
	name := "results-" + human(o.messages)
	if o.corpus != "" {
		name += "-real"
	}
	return name + ".svg"
}

// publish puts a section into the page, if there is to be one.
func publish(o *options, section string) error {
	if o.out == "" {
		return nil
	}
	path := filepath.Join(o.out, "RESULTS.md")
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, []byte(withSection(string(old), o.heading(), section)), 0o644)
}

// withSection is a page with the section of that heading replaced, or added as the last.
func withSection(page, heading, section string) string {
	const mark = "\n## "
	section = "\n## " + heading + "\n\n" + strings.Trim(section, "\n") + "\n"
	_, rest, _ := strings.Cut(page, mark)
	var sections []string
	found := false
	for part := range strings.SplitSeq(rest, mark) {
		switch name, _, _ := strings.Cut(part, "\n"); {
		case part == "":
		case name == heading:
			sections, found = append(sections, section), true
		default:
			sections = append(sections, mark+strings.TrimRight(part, "\n")+"\n")
		}
	}
	if !found {
		sections = append(sections, section)
	}
	return pageTitle + strings.Join(sections, "")
}
