package imds

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// A Key is what requests to AWS are signed with.
type Key struct {
	ID, Secret, Token string
}

// Role returns the key of the role that the instance has. Those of a role that
// has none yet are waited for.
func (c *Client) Role(ctx context.Context) (Key, error) {
	const at = "iam/security-credentials/"
	roles, err := c.List(ctx, at)
	if errors.Is(err, ErrAbsent) || err == nil && len(roles) == 0 {
		return Key{}, errors.New("the instance has no role, with which AWS could be asked")
	}
	if err != nil {
		return Key{}, err
	}
	text, err := c.Text(ctx, at+roles[0])
	if err != nil {
		return Key{}, err
	}
	var answer struct {
		Code                   string
		AccessKeyID            string `json:"AccessKeyId"`
		SecretAccessKey, Token string
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return Key{}, fmt.Errorf("credentials of the role %s: not in the form of AWS", roles[0])
	}
	if answer.AccessKeyID == "" || answer.SecretAccessKey == "" {
		return Key{}, &platform.Later{Err: fmt.Errorf("the role %s has no credentials (%s)", roles[0], cmp.Or(answer.Code, "no code"))}
	}
	return Key{ID: answer.AccessKeyID, Secret: answer.SecretAccessKey, Token: answer.Token}, nil
}
