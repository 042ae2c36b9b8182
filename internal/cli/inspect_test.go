package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"desist/takedown/indicator"
)

// A line of any length is answered, and the next line too.
func TestInspectLongLines(t *testing.T) {
	in := io.MultiReader(
		strings.NewReader(strings.Repeat("a", 10<<20)+"\n"),
		strings.NewReader(strings.Repeat("b", maxLine+5)+"\r\n"),
		strings.NewReader("example.com"),
	)
	var out, errs bytes.Buffer
	p := &Program{In: in, Out: &out, Err: &errs}
	if code := p.Run(t.Context(), []string{"inspect", "indicators"}); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	dec := json.NewDecoder(&out)
	var answers []indicator.Inspection
	for dec.More() {
		var a indicator.Inspection
		if err := dec.Decode(&a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	if len(answers) != 3 {
		t.Fatalf("%d answers, want 3", len(answers))
	}
	if len(answers[0].Input) != 10<<20 || answers[0].Error == "" {
		t.Errorf("the long line: %d bytes, error %q", len(answers[0].Input), answers[0].Error)
	}
	if len(answers[1].Input) != maxLine || !strings.Contains(answers[1].Error, "16777222 bytes") {
		t.Errorf("the longer line: %d bytes, error %q", len(answers[1].Input), answers[1].Error)
	}
	if answers[2].Value != "example.com" {
		t.Errorf("the line after: %+v", answers[2])
	}
}

// An answer comes as soon as its line does, for callers that talk in turns.
func TestInspectAnswersInStep(t *testing.T) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	p := &Program{In: inR, Out: outW, Err: io.Discard}
	code := make(chan int)
	go func() { code <- p.Run(t.Context(), []string{"inspect", "indicators"}) }()
	dec := json.NewDecoder(outR)
	for _, name := range []string{"one.example.com", "two.example.com"} {
		if _, err := io.WriteString(inW, name+"\n"); err != nil {
			t.Fatal(err)
		}
		var a indicator.Inspection
		if err := dec.Decode(&a); err != nil || a.Value != name {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	if err := inW.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != 0 {
		t.Errorf("exit code %d", got)
	}
}
