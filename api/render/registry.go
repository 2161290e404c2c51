package render

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const dockerHub = "docker.io"

// imageRef returns the name of an image in full. Without a registry it is on
// Docker Hub, there without a user it is in the library, and without tag and
// digest it is the latest.
func imageRef(s string) (string, error) {
	first, rest, hasSlash := strings.Cut(s, "/")
	registry, name := dockerHub, s
	if hasSlash && (strings.ContainsAny(first, ".:") || first == "localhost") {
		registry, name = first, rest
	}
	if name == "" || registry == "" || strings.ContainsAny(s, " \t\r\n") {
		return "", unfit(s, "%s is no name of an image")
	}
	if registry == dockerHub && !strings.Contains(name, "/") {
		name = "library/" + name
	}
	if !strings.Contains(name, "@") && !strings.Contains(name[strings.LastIndexByte(name, '/')+1:], ":") {
		name += ":latest"
	}
	return registry + "/" + name, nil
}

// imageRegion puts the region of the node into the name of an image.
func imageRegion(image, region string) (string, error) {
	const place = "{{REGION}}"
	if strings.Contains(image, place) && region == "" {
		return "", unfit(image, "%s names a region, and the node has none")
	}
	return strings.ReplaceAll(image, place, region), nil
}

// certsDir returns the directory of a registry below certs.d of containerd.
func certsDir(registry string) string {
	if registry == "*" {
		return "_default"
	}
	return registry
}

// registryHost returns the host that serves a registry: that of Docker Hub has
// another name than its images.
func registryHost(registry string) string {
	if registry == dockerHub {
		return "registry-1.docker.io"
	}
	return registry
}

func registryServer(registry string) string { return "https://" + registryHost(registry) }

var (
	awsAccount = regexp.MustCompile(`^[0-9]{12}$`)
	awsRegion  = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]$`)
	// The regions whose registries have endpoints with validated cryptography.
	fipsRegions = []string{"us-east-1", "us-east-2", "us-west-1", "us-west-2", "us-gov-east-1", "us-gov-west-1"}
)

// ecrPrefix returns the host of an account's registry in a region of AWS.
func ecrPrefix(account, region string, fips bool) (string, error) {
	if !awsAccount.MatchString(account) {
		return "", unfit(account, "account %s is not 12 digits")
	}
	if !awsRegion.MatchString(region) {
		return "", unfit(region, "%s is no region of AWS")
	}
	service, suffix := "ecr", "amazonaws.com"
	if fips && slices.Contains(fipsRegions, region) {
		service = "ecr-fips"
	}
	switch {
	case strings.HasPrefix(region, "cn-"):
		suffix = "amazonaws.com.cn"
	case strings.HasPrefix(region, "eu-isoe-"):
		suffix = "cloud.adc-e.uk"
	}
	return fmt.Sprintf("%s.dkr.%s.%s.%s", account, service, region, suffix), nil
}
