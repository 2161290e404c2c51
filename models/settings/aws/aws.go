// Package aws holds the settings with which the host uses AWS: its region and
// the configuration of the AWS tools on it.
package aws

import "github.com/bulkhead-os/bulkhead/models/scalar"

// Settings is the group aws.
type Settings struct {
	// The AWS region of the host, such as us-west-2. On EC2 it is found out on
	// boot and need not be set.
	Region *scalar.SingleLine `setting:"region"`

	// The AWS configuration file, in base64. The decoded text becomes
	// /root/.aws/config at once; programs that read it at their start have to be
	// restarted.
	Config *scalar.Base64 `setting:"config"`

	// The AWS credentials file, in base64. The decoded text becomes
	// /root/.aws/credentials at once. Prefer an instance profile, which needs no
	// secret on the host. Reads hide it.
	Credentials *scalar.Secret[scalar.Base64] `setting:"credentials"`

	// The profile, in the two files above, with which the kubelet asks for access
	// to image registries. A change restarts the kubelet.
	Profile *scalar.SingleLine `setting:"profile"`
}
