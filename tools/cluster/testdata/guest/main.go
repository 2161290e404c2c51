// Command guest stands in for an operating system in a machine of a test: it
// takes its address from the network, serves a port, and does what is typed at
// its console.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := prepare(); err != nil {
		fmt.Println("guest: prepare:", err)
	}
	tell("credentials", credentials)
	tell("address", join)
	l, err := net.Listen("tcp", ":8443")
	if err != nil {
		fmt.Println("guest: listen:", err)
	}
	go serve(l)
	keys := bufio.NewScanner(os.Stdin)
	fmt.Println("guest: ready")
	for keys.Scan() {
		switch words := strings.Fields(keys.Text()); {
		case len(words) == 1 && words[0] == "off":
			_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
		case len(words) == 1 && words[0] == "restart":
			_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART)
		case len(words) == 2 && words[0] == "look":
			tell(words[1], func() (string, error) { return look(words[1]) })
		case len(words) == 3 && words[0] == "call":
			tell("answer", func() (string, error) { return call(words[1], words[2]) })
		}
	}
}

func tell(what string, f func() (string, error)) {
	text, err := f()
	if err != nil {
		text = "error: " + err.Error()
	}
	fmt.Printf("guest: %s: %s\n", what, text)
}

func prepare() error {
	for _, m := range []string{"proc", "sysfs", "devtmpfs"} {
		dir := "/" + strings.TrimSuffix(strings.TrimSuffix(m, "fs"), "tmp")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m, dir, m, 0, ""); err != nil && err != unix.EBUSY {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	modules, err := filepath.Glob("/modules/*")
	if err != nil {
		return err
	}
	for _, name := range modules { // in the order of their numbers
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		if err := unix.FinitModule(int(f.Fd()), "", unix.MODULE_INIT_COMPRESSED_FILE); err != nil {
			return fmt.Errorf("load %s: %w", name, err)
		}
		_ = f.Close()
	}
	return nil
}

// credentials finds those that the firmware has for systemd.
func credentials() (string, error) {
	table, err := os.ReadFile("/sys/firmware/dmi/tables/DMI")
	if err != nil {
		return "", err
	}
	var all []string
	for text := range bytes.SplitSeq(table, []byte{0}) {
		_, found, ok := bytes.Cut(text, []byte("io.systemd.credential.binary:"))
		if !ok {
			continue
		}
		name, value, _ := strings.Cut(string(found), "=")
		plain, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return "", err
		}
		if len(plain) > 100 {
			plain = fmt.Appendf(nil, "%d bytes", len(plain))
		}
		all = append(all, fmt.Sprintf("%s=%q", name, plain))
	}
	slices.Sort(all)
	return strings.Join(all, " "), nil
}

const card = "eth0"

// join takes an address from the network.
func join() (string, error) {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(s)
	for _, name := range []string{"lo", card} {
		up, err := unix.NewIfreq(name)
		if err != nil {
			return "", err
		}
		up.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, up); err != nil {
			return "", fmt.Errorf("switch %s on: %w", name, err)
		}
	}
	addr, err := lease()
	if err != nil {
		return "", err
	}
	own, err := unix.NewIfreq(card)
	if err != nil {
		return "", err
	}
	if err := own.SetInet4Addr(addr); err != nil {
		return "", err
	}
	if err := unix.IoctlIfreq(s, unix.SIOCSIFADDR, own); err != nil {
		return "", fmt.Errorf("set the address: %w", err)
	}
	return net.IP(addr).String(), nil
}

// lease asks for an address with one DHCP question.
func lease() ([]byte, error) {
	i, err := net.InterfaceByName(card)
	if err != nil {
		return nil, err
	}
	c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		return first(raw.Control(func(fd uintptr) {
			err = first(unix.BindToDevice(int(fd), card), unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1))
		}), err)
	}}
	conn, err := c.ListenPacket(context.Background(), "udp4", "0.0.0.0:68")
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	question := make([]byte, 240)
	copy(question, []byte{1, 1, 6, 0, 'B', 'u', 'l', 'k'})
	question[10] = 0x80 // the answer is for everybody, as there is no address yet
	copy(question[28:], i.HardwareAddr)
	copy(question[236:], []byte{99, 130, 83, 99})
	question = append(question, 53, 1, 1, 255)
	answer := make([]byte, 1500)
	for range 20 {
		if _, err := conn.WriteTo(question, &net.UDPAddr{IP: net.IPv4bcast, Port: 67}); err != nil {
			return nil, err
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		for {
			n, _, err := conn.ReadFrom(answer)
			if err != nil {
				break
			}
			// Answers for everybody also come to those who have not asked.
			if n > 240 && string(answer[4:8]) == "Bulk" && bytes.Equal(answer[28:34], i.HardwareAddr) {
				return answer[16:20], nil
			}
		}
	}
	return nil, fmt.Errorf("nobody gives an address to %s", i.HardwareAddr)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// look asks the gateway for the address of a name.
func look(name string) (string, error) {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", "192.168.127.1:53")
	}}
	ips, err := r.LookupNetIP(context.Background(), "ip4", name)
	return fmt.Sprint(ips), err
}

func call(addr, text string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(text)); err != nil {
		return "", err
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// serve answers each caller when he has said everything.
func serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			text, err := io.ReadAll(conn)
			fmt.Fprintf(conn, "%s heard %d bytes, %v: %.20s", conn.LocalAddr(), len(text), err, text)
		}()
	}
}
