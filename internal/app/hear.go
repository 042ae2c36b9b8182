package app

import "context"

func (a *App) hear(context.Context) error { return nil }

// InboxAddr returns where replies arrive.
func (a *App) InboxAddr() string { return "" }
