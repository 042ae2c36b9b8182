package resolvers

import (
	"container/list"
	"sync"
	"time"
)

// lru is a bounded map whose entries expire. It is safe for concurrent use.
type lru[K comparable, V any] struct {
	mu    sync.Mutex
	limit int
	order *list.List // most recently used first
	items map[K]*list.Element
}

type lruItem[K comparable, V any] struct {
	key     K
	value   V
	expires time.Time
}

func newLRU[K comparable, V any](limit int) *lru[K, V] {
	return &lru[K, V]{limit: limit, order: list.New(), items: make(map[K]*list.Element)}
}

func (c *lru[K, V]) get(key K, now time.Time) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[key]
	if !ok {
		return value, false
	}
	item := e.Value.(*lruItem[K, V])
	if !now.Before(item.expires) {
		c.remove(e)
		return value, false
	}
	c.order.MoveToFront(e)
	return item.value, true
}

func (c *lru[K, V]) put(key K, value V, expires time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.items[key]; ok {
		item := e.Value.(*lruItem[K, V])
		item.value, item.expires = value, expires
		c.order.MoveToFront(e)
		return
	}
	c.items[key] = c.order.PushFront(&lruItem[K, V]{key, value, expires})
	for c.order.Len() > c.limit {
		c.remove(c.order.Back())
	}
}

func (c *lru[K, V]) remove(e *list.Element) {
	c.order.Remove(e)
	delete(c.items, e.Value.(*lruItem[K, V]).key)
}
