package bench

import "testing"

func TestMountOf(t *testing.T) {
	const mounts = "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n" +
		"30 21 0:25 / /tmp rw,nosuid shared:3 - tmpfs tmpfs rw\n" +
		"31 21 8:2 / /srv rw - xfs /dev/sdb1 rw\n" +
		"32 21 8:3 / /srv rw - btrfs /dev/sdc1 rw\n" +
		"not a line\n"
	tests := []struct{ name, dir, want string }{
		{"the root", "/home/x", "ext4 (/dev/sda1) at /"},
		{"below a mount", "/tmp/a/b", "tmpfs (tmpfs) at /tmp"},
		{"the mount itself", "/tmp", "tmpfs (tmpfs) at /tmp"},
		{"a name that only begins alike", "/tmpfiles", "ext4 (/dev/sda1) at /"},
		{"two mounts at one place", "/srv/x", "btrfs (/dev/sdc1) at /srv"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := mountOf(mounts, tt.dir); got != tt.want {
				t.Errorf("mountOf(%q) = %q, want %q", tt.dir, got, tt.want)
			}
		})
	}
}

func TestRSSAnon(t *testing.T) {
	got, err := rssAnon("Name:\tx\nVmRSS:\t   9000 kB\nRssAnon:\t   1234 kB\nRssFile:\t 5 kB\n")
	if want := int64(1234 << 10); got != want || err != nil {
		t.Errorf("rssAnon = %d, %v, want %d", got, err, want)
	}
	if _, err := rssAnon("Name:\tx\n"); err == nil {
		t.Error("rssAnon of a status without the line: no error, want one")
	}
}
