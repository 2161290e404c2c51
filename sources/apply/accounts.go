package apply

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// accounts are the users and groups below a root. The C library would read
// those of the machine that the sandbox is on, and load modules for it.
type accounts struct {
	users, groups names
}

// names are two directions of the same table.
type names struct {
	ids  map[string]int
	text map[int]string
}

func readAccounts(root *os.Root) accounts {
	return accounts{users: readNames(root, "etc/passwd"), groups: readNames(root, "etc/group")}
}

// readNames reads the names in a file in the form of /etc/passwd. It knows root
// without one.
func readNames(root *os.Root, file string) names {
	n := names{ids: map[string]int{"root": 0}, text: map[int]string{0: "root"}}
	data, err := root.ReadFile(file)
	if err != nil {
		return n // an owner other than root is then the error to be told
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(line, ":")
		if len(fields) < 3 {
			continue
		}
		id, err := strconv.Atoi(fields[2])
		if err != nil {
			continue
		}
		n.ids[fields[0]] = id
		if _, known := n.text[id]; !known {
			n.text[id] = fields[0]
		}
	}
	return n
}

// id returns the number of the account called name, which may be a number
// itself.
func (n names) id(kind, name string) (int, error) {
	if id, ok := n.ids[name]; ok {
		return id, nil
	}
	if id, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(id), nil
	}
	return 0, fmt.Errorf("there is no %s %q", kind, name)
}

// name returns the name of the account with the given number, or the number.
func (n names) name(id int) string {
	if name, ok := n.text[id]; ok {
		return name
	}
	return strconv.Itoa(id)
}
