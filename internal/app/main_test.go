package app_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"desist/internal/app"
	"desist/internal/config"
	"desist/internal/postgres/postgrestest"
)

// childEnv makes the test binary be the service, with the configuration file
// that it names, until it is killed or interrupted.
const childEnv = "APP_TEST_CHILD"

func TestMain(m *testing.M) {
	if file := os.Getenv(childEnv); file != "" {
		if err := beService(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	postgrestest.Main(m)
}

// beService says on standard output where NATS clients are welcome.
func beService(file string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg, err := config.Load(file, os.Environ())
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	a, err := app.Start(ctx, app.Options{Config: cfg, Logger: log})
	if err != nil {
		return err
	}
	fmt.Println(a.Bus().ListenAddr())
	select {
	case <-ctx.Done():
	case err = <-a.Failed():
	}
	return errors.Join(err, a.Stop())
}
