package pgservertest

import (
	"context"
	"testing"
)

func TestStart(t *testing.T) {
	s := Start(t)
	if err := s.CreateDatabase(context.Background(), "another"); err != nil {
		t.Error(err)
	}
}
