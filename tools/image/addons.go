package image

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/bulkhead-os/bulkhead/tools/secureboot"
	"github.com/bulkhead-os/bulkhead/tools/uki"
)

// Addons are what a node may choose by settings.boot.addons to have on its
// command line: under Secure Boot, where only what is signed here counts, there
// is nothing else to choose from.
var addons = map[string]string{
	"confidentiality": "lockdown=confidentiality",
	"debug":           "loglevel=7 systemd.log_level=debug systemd.show_status=yes printk.devkmsg=on",
	"iommu":           "iommu=pt intel_iommu=on amd_iommu=on",
	"nosmt":           "mitigations=auto,nosmt",
	"serial-1":        "console=ttyS1,115200",
}

// addonsDir is where the addons are on the ESP. The boot program does not look
// there: boot-settings copies those that are chosen to where it does.
const addonsDir = "/EFI/bulkhead/addons"

// addonWord begins the word by which an addon shows on the command line of a
// node; boot-settings looks for it.
const addonWord = "bulkhead.addon="

// addonFiles returns the signed addons, by their place on the ESP.
func (b *builder) addonFiles() (map[string][]byte, error) {
	stub, err := os.ReadFile(filepath.Join(string(b.tools), "usr/lib/systemd/boot/efi/addonx64.efi.stub"))
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, name := range slices.Sorted(maps.Keys(addons)) {
		plain, err := uki.Addon(stub, addonWord+name+" "+addons[name])
		if err != nil {
			return nil, err
		}
		file := path.Join(addonsDir, name+".addon.efi")
		if out[file], err = secureboot.Sign(plain, b.keys.Database); err != nil {
			return nil, fmt.Errorf("addon %s: %w", name, err)
		}
	}
	return out, nil
}
