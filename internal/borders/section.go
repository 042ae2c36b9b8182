package borders

import (
	"fmt"
	"strings"
)

// Section returns the text between the markers <!-- name:begin --> and
// <!-- name:end --> of a document, without the line ends around it.
func Section(document, name string) (string, error) {
	begin, end, err := section(document, name)
	if err != nil {
		return "", err
	}
	return strings.Trim(document[begin:end], "\n"), nil
}

// Replace returns the document with text between the markers of a name.
func Replace(document, name, text string) (string, error) {
	begin, end, err := section(document, name)
	if err != nil {
		return "", err
	}
	return document[:begin] + "\n\n" + strings.Trim(text, "\n") + "\n\n" + document[end:], nil
}

// section returns where the text between the markers begins and ends.
func section(document, name string) (begin, end int, err error) {
	first, last := "<!-- "+name+":begin -->", "<!-- "+name+":end -->"
	if strings.Count(document, first) != 1 || strings.Count(document, last) != 1 {
		return 0, 0, fmt.Errorf("the lines %s and %s must stand in it once; add them where the generated text belongs", first, last)
	}
	begin, end = strings.Index(document, first)+len(first), strings.Index(document, last)
	if begin > end {
		return 0, 0, fmt.Errorf("%s stands after %s; swap them", first, last)
	}
	return begin, end, nil
}
