package platform

import (
	"io/fs"
	"path"
	"strings"
)

// A Kind is a kind of machine, by who makes it.
type Kind string

// The kinds. A machine of any other maker is Other; one that does not say is
// Unknown.
const (
	EC2     Kind = "ec2"
	VMware  Kind = "vmware"
	QEMU    Kind = "qemu"
	Other   Kind = "other"
	Unknown Kind = ""
)

// A Machine is what the firmware says about the machine.
type Machine struct {
	Kind            Kind
	Vendor, Product string
	Serial, UUID    string // empty where the firmware has no real ones
}

// Detect reads what the firmware says, in sysfs.
func Detect(sys fs.FS) Machine {
	field := func(name string) string {
		text, err := fs.ReadFile(sys, path.Join("class/dmi/id", name))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(text))
	}
	m := Machine{
		Vendor: field("sys_vendor"), Product: field("product_name"),
		Serial: field("product_serial"), UUID: strings.ToLower(field("product_uuid")),
	}
	m.Kind = m.kind(field("bios_version"))
	return m
}

func (m Machine) kind(bios string) Kind {
	switch {
	case m.Vendor == "Amazon EC2":
		return EC2
	case m.Vendor == "Xen" && strings.Contains(bios, "amazon"): // the machines before Nitro
		return EC2
	case m.Vendor == "VMware, Inc.":
		return VMware
	case m.Vendor == "QEMU":
		return QEMU
	case m.Vendor == "":
		return Unknown
	}
	return Other
}

// On reports whether the sources of kind k are to be asked on the machine. What
// the firmware says counts. Where it says nothing known, the variant was made for
// the place where it runs, which its name begins with.
func (m Machine) On(k Kind, variant string) bool {
	if m.Kind != Unknown && m.Kind != Other {
		return m.Kind == k
	}
	made, _, _ := strings.Cut(variant, "-")
	return made == string(k) || made == "aws" && k == EC2
}
