package templates

import (
	"strings"
	"unicode/utf8"
)

const (
	lineWidth  = 78 // columns of the text, RFC 5322 section 2.1.1
	labelWidth = 18 // column at which values stand behind their labels
)

// wrap appends the paragraph to lines, folded at lineWidth. A tab separates a
// label from its value; a leading "- " makes a list item. A word that is too
// long is cut, except a link of our own (outside links are defanged and do not
// begin with http), which mail clients have to recognise in one piece.
func wrap(lines []string, paragraph string) []string {
	first, rest := "", ""
	if label, value, ok := strings.Cut(paragraph, "\t"); ok {
		pad := max(labelWidth-utf8.RuneCountInString(label), 1)
		if label == "" {
			pad = labelWidth
		}
		first, rest = label+strings.Repeat(" ", pad), strings.Repeat(" ", labelWidth)
		paragraph = value
	} else if strings.HasPrefix(paragraph, "- ") {
		first, rest = "- ", "  "
		paragraph = paragraph[2:]
	}
	var line strings.Builder
	line.WriteString(first)
	width := utf8.RuneCountInString(first)
	empty := true
	flush := func() {
		lines = append(lines, strings.TrimRight(line.String(), " "))
		line.Reset()
		line.WriteString(rest)
		width = len(rest)
		empty = true
	}
	for word := range strings.FieldsSeq(paragraph) {
		n := utf8.RuneCountInString(word)
		if !empty && width+1+n > lineWidth {
			flush()
		}
		if !empty {
			line.WriteByte(' ')
			width++
		}
		for width+n > lineWidth && !isLink(word) {
			cut := runeOffset(word, lineWidth-width)
			line.WriteString(word[:cut])
			word = word[cut:]
			n = utf8.RuneCountInString(word)
			flush()
		}
		line.WriteString(word)
		width += n
		empty = false
	}
	if !empty || first != "" && strings.TrimSpace(first) != "" {
		flush()
	}
	return lines
}

func isLink(word string) bool {
	return strings.HasPrefix(word, "https://") || strings.HasPrefix(word, "http://")
}

// runeOffset returns the byte offset of rune n of s.
func runeOffset(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}
