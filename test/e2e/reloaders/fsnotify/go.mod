module live-update/test/e2e/reloaders/fsnotify

go 1.17

require github.com/fsnotify/fsnotify v1.8.0

require golang.org/x/sys v0.13.0 // indirect
