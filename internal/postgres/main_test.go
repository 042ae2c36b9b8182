package postgres_test

import (
	"testing"

	"desist/internal/postgres/postgrestest"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }
