package userdata

import (
	"path"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// What to use instead of what is not read. Each names settings that exist; a
// test looks them up.
const (
	hintContainers = "run programs in containers: settings.bootstrap-containers before the node is ready, settings.host-containers for good"
	hintCommands   = "settings.bootstrap-commands runs apiclient commands at boot; anything else belongs into a container, see settings.bootstrap-containers"
	hintKeys       = "users exist in the admin container alone: settings.host-containers.admin.user-data has their keys"
	hintDisks      = "the system lays out its own disk; a container of settings.bootstrap-containers may prepare others"
	hintFiles      = "files are rendered from settings, see apiclient schema; programs and their files belong into containers, see settings.host-containers"
	hintNetwork    = "the network is configured by settings.network and settings.dns"
	hintLogs       = "logs are kept by the journal; a container of settings.host-containers may send them elsewhere"
	hintNothing    = "leave it out: nothing here depends on it"
	hintTrust      = "the image's own authorities stay; settings.pki adds to them, and takes single ones out with trusted = false"
)

// otherLanguages are what cloud-init tells apart by the first line.
var otherLanguages = []struct{ first, what, hint string }{
	{"#!", "a script", hintCommands},
	{"#include", "a list of addresses to fetch user data from", "give the user data itself; a multi-part text joins several"},
	{"#cloud-boothook", "a boot hook", hintCommands},
	{"#part-handler", "a part handler", hintCommands},
	{"#upstart-job", "an upstart job", hintContainers},
	{"#cloud-config-archive", "an archive of cloud-config", "give its parts as a multi-part text"},
	{"#cloud-config-jsonp", "a patch of cloud-config", "give the cloud-config with its changes"},
	{"## template:", "a template", "give the text that the template makes"},
	{"<powershell>", "a PowerShell script", hintCommands},
}

// otherTypes are what a part's Content-Type may be and is not read.
var otherTypes = []struct{ prefix, what, hint string }{
	{"text/x-shellscript", "a script", hintCommands},
	{"text/x-include", "a list of addresses to fetch user data from", "give the user data itself as a part"},
	{"text/cloud-boothook", "a boot hook", hintCommands},
	{"text/part-handler", "a part handler", hintCommands},
	{"text/upstart-job", "an upstart job", hintContainers},
	{"text/cloud-config-archive", "an archive of cloud-config", "give its parts as parts"},
	{"text/cloud-config-jsonp", "a patch of cloud-config", "give the cloud-config with its changes"},
	{"text/jinja2", "a template", "give the text that the template makes"},
	{"application/node.eks.aws", "a NodeConfig", "give settings.kubernetes.cluster-name, settings.kubernetes.api-server and settings.kubernetes.cluster-certificate in a TOML part"},
}

// otherType says what is wrong with a part of the media type kind, or nil.
func otherType(kind string) *report.Fault {
	for _, t := range otherTypes {
		if strings.HasPrefix(kind, t.prefix) {
			return &report.Fault{Code: report.Unsupported, Detail: t.what + " is not read here", Hint: t.hint}
		}
	}
	return nil
}

// cloudHints say what to use instead of keys of cloud-config.
var cloudHints = map[string]string{
	"write_files": hintFiles, "runcmd": hintCommands, "bootcmd": hintCommands, "cc_ready_cmd": hintCommands, "scripts-user": hintCommands,
	"packages": hintContainers, "package_update": hintNothing, "package_upgrade": "set settings.updates.version-lock",
	"package_reboot_if_required": hintNothing, "apt": hintContainers, "yum_repos": hintContainers, "snap": hintContainers, "zypper": hintContainers,
	"ansible": hintContainers, "chef": hintContainers, "puppet": hintContainers, "salt_minion": hintContainers, "mcollective": hintContainers,
	"groups": hintKeys, "chpasswd": hintKeys, "password": hintKeys, "ssh_pwauth": hintKeys, "disable_root": hintKeys, "ssh_keys": hintKeys,
	"ssh_import_id": "name the keys in ssh_authorized_keys", "ssh_deletekeys": hintKeys, "ssh_genkeytypes": hintKeys, "user": hintKeys, "system_info": hintKeys,
	"mounts": hintDisks, "swap": hintDisks, "disk_setup": hintDisks, "fs_setup": hintDisks, "growpart": hintNothing, "resize_rootfs": hintNothing,
	"network": hintNetwork, "manage_resolv_conf": hintNetwork, "resolv_conf": "set settings.dns.name-servers and settings.dns.search-list",
	"manage_etc_hosts": "set settings.network.hosts", "http_proxy": "set settings.network.https-proxy", "apt_proxy": "set settings.network.https-proxy",
	"timezone": "clocks are in UTC; containers may have zones", "locale": hintNothing, "keyboard": hintNothing, "final_message": "set settings.motd",
	"phone_home": "a container of settings.bootstrap-containers may tell others that the node is there", "power_state": "use apiclient reboot",
	"rsyslog": hintLogs, "output": hintLogs, "landscape": hintContainers, "kernel_modules": "set settings.kernel.modules", "grub_dpkg": "set settings.boot.kernel",
	"datasource": hintNothing, "datasource_list": hintNothing, "merge_how": hintNothing, "merge_type": hintNothing, "random_seed": hintNothing, "rancher": hintContainers,
	"wireguard": hintNetwork, "byobu": hintNothing, "coreos": hintContainers, "vendor_data": hintNothing,
}

// ignitionHints say what to use instead of sections of Ignition and Butane, by
// their names in Ignition.
var ignitionHints = map[string]string{
	"ignition.config": "put all into one document; a multi-part text joins several", "ignition.proxy": "set settings.network.https-proxy and settings.network.no-proxy",
	"storage.directories": hintFiles, "storage.links": hintFiles, "storage.trees": hintFiles, "storage.disks": hintDisks, "storage.raid": hintDisks,
	"storage.filesystems": hintDisks, "storage.luks": hintDisks, "passwd.groups": hintKeys, "systemd.units": hintContainers,
	"kernelArguments": "set settings.boot.kernel", "bootDevice": hintDisks, "grub": "set settings.boot.kernel", "extensions": "choose a variant that has what is needed, or " + hintContainers,
	"openshift": hintFiles, "metadata": hintNothing, "systemd.quadlets": hintContainers,
}

// fileHints say which setting a file is made of, by patterns of its path.
var fileHints = []struct{ pattern, hint string }{
	{"/etc/hostname", "set settings.network.hostname"},
	{"/etc/hosts", "set settings.network.hosts"},
	{"/etc/motd*", "set settings.motd"},
	{"/etc/issue*", "set settings.motd"},
	{"/etc/resolv.conf", "set settings.dns.name-servers and settings.dns.search-list"},
	{"/etc/systemd/resolved*", "set settings.dns.name-servers and settings.dns.search-list"},
	{"/etc/systemd/network*", hintNetwork},
	{"/etc/netplan*", hintNetwork},
	{"/etc/NetworkManager*", hintNetwork},
	{"/etc/sysconfig/network-scripts*", hintNetwork},
	{"/etc/sysctl*", "set settings.kernel.sysctl"},
	{"/etc/modprobe.d*", "set settings.kernel.modules"},
	{"/etc/modules-load.d*", "set settings.kernel.modules"},
	{"/etc/modules", "set settings.kernel.modules"},
	{"/etc/default/grub*", "set settings.boot.kernel"},
	{"/etc/kernel/cmdline", "set settings.boot.kernel"},
	{"/etc/chrony*", "set settings.ntp.time-servers"},
	{"/etc/ntp.conf", "set settings.ntp.time-servers"},
	{"/etc/systemd/timesyncd*", "set settings.ntp.time-servers"},
	{"/etc/containerd*", "set settings.container-runtime and settings.container-registry"},
	{"/etc/docker*", "set settings.container-registry"},
	{"/etc/containers/registries*", "set settings.container-registry"},
	{"/etc/kubernetes/manifests*", "set settings.kubernetes.static-pods"},
	{"/etc/kubernetes*", "set settings.kubernetes"},
	{"/var/lib/kubelet*", "set settings.kubernetes"},
	{"/etc/ecs*", "set settings.ecs"},
	{"/etc/ssl*", "set settings.pki"},
	{"/etc/pki*", "set settings.pki"},
	{"/usr/local/share/ca-certificates*", "set settings.pki"},
	{"/etc/ssh*", hintKeys},
	{"/root/.ssh*", hintKeys},
	{"/home*", hintKeys},
	{"/etc/passwd", hintKeys},
	{"/etc/sudoers*", hintKeys},
	{"/etc/environment", "set settings.network.https-proxy and settings.network.no-proxy, if it is for proxies"},
	{"/etc/profile.d*", "set settings.network.https-proxy and settings.network.no-proxy, if it is for proxies"},
	{"/etc/systemd/system*", hintContainers},
	{"/etc/flatcar/update.conf", "set settings.updates"},
	{"/etc/zincati*", "set settings.updates"},
	{"/etc/cron*", hintContainers},
	{"/opt*", hintContainers},
	{"/usr*", hintContainers},
}

// fileHint says what to set instead of writing the file called name.
func fileHint(name string) string {
	name = path.Clean(name)
	for _, h := range fileHints {
		prefix, open := strings.CutSuffix(h.pattern, "*")
		if name == prefix || open && strings.HasPrefix(name, prefix) {
			return h.hint
		}
	}
	return hintFiles
}
