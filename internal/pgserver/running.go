package pgserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// Running returns the address of a database on the server that another process
// runs in dir, after it answered. It takes nothing over: when that process
// stops, so does the server. An empty database is "desist".
func Running(ctx context.Context, dir, database string) (string, error) {
	if database == "" {
		database = "desist"
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", fmt.Errorf("pgserver: directory: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", fmt.Errorf("pgserver: directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("pgserver: open directory: %w", err)
	}
	own, err := ownerOf(dir)
	if err != nil {
		return "", errors.Join(err, root.Close())
	}
	c := &cluster{dir: dir, root: root, owner: own}
	sock, err := c.socketDir(os.TempDir())
	if err := errors.Join(err, root.Close()); err != nil {
		return "", err
	}
	if err := query(ctx, sock, database, "SELECT 1"); err != nil {
		return "", fmt.Errorf("pgserver: the server in %s does not answer: %w", dir, err)
	}
	return address(sock, database), nil
}

// address is a URL for pgx, psql and other clients of libpq.
func address(sockDir, database string) string {
	q := url.Values{"host": {sockDir}, "port": {port}, "user": {superuser}}
	return (&url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: q.Encode()}).String()
}
