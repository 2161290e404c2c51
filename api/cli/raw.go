package cli

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
)

type rawOptions struct {
	uri, method, data, contentType string
}

func (opt *rawOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&opt.uri, "uri", "u", "", "the `URI`: path and query, from / on")
	f.StringVarP(&opt.method, "method", "m", http.MethodGet, "the `METHOD`; -X is the same")
	f.StringVarP(&opt.method, "request", "X", http.MethodGet, "the `METHOD`, as curl calls it")
	f.StringVarP(&opt.data, "data", "d", "", "send `DATA` as the body")
	f.StringVar(&opt.contentType, "content-type", client.JSON, "the `TYPE` of the body")
	f.Lookup("request").Hidden = true
}

func (p *program) rawCommand() *cobra.Command {
	var opt rawOptions
	cmd := &cobra.Command{
		Use:   "raw -u URI [-m METHOD] [-d DATA]",
		Short: "Send one request to the API and print the answer",
		Long:  "Send one request to the API and print the body of the answer as it is. With -v\nthe status goes to standard error.",
		Example: `  apiclient raw -u /tx/list
  apiclient raw -m PATCH -u '/settings?tx=mine' -d '{"motd": "hi"}'
  apiclient raw -m DELETE -u '/tx?tx=mine'`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.raw(cmd, opt) },
	}
	opt.flags(cmd)
	return cmd
}

func (p *program) raw(cmd *cobra.Command, opt rawOptions) error {
	if !strings.HasPrefix(opt.uri, "/") {
		return usage("--uri %q: want a path that starts with /", opt.uri)
	}
	r := client.Request{Method: strings.ToUpper(opt.method), URI: opt.uri, Body: []byte(opt.data)}
	if opt.method == "" || strings.Trim(r.Method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return usage("--method %q: want GET, PATCH, POST or another word", opt.method)
	}
	if cmd.Flags().Changed("data") {
		r.ContentType = opt.contentType
	}
	res, err := p.client(cmd).Do(cmd.Context(), r)
	if err != nil || len(res.Body) == 0 {
		return err
	}
	if p.output != "" {
		n, err := parseJSON(res.Body)
		if err != nil {
			return err
		}
		return p.write(cmd, n, "json", "items")
	}
	_, err = cmd.OutOrStdout().Write(append(res.Body, '\n'))
	return err
}
