// A program that reads a folder's files again when fsnotify says that they have changed.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"
)

func main() {
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		err = watcher.Add(os.Args[1])
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("watching")
	for event := range watcher.Events {
		name := filepath.Base(event.Name)
		fmt.Println(event.Op, name)
		if strings.HasPrefix(name, ".") || !event.Has(fsnotify.Create) && !event.Has(fsnotify.Write) {
			continue
		}
		content, _ := os.ReadFile(event.Name)
		fmt.Printf("%s", content)
	}
}
