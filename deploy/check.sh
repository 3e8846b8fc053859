#!/bin/sh
# Checks what deploy/ ships with the tools that read it: Kubernetes' own schemas, kube-score, the Compose loader.
# Tools are installed once, by name and version, into build/deploy-check; a Go compiler and Python 3 are needed.
# nginx is run for real by tests/test_deploy.py.
set -eu
cd "$(dirname "$0")/.."
tools=$PWD/build/deploy-check
python=${PYTHON:-python3}
mkdir -p "$tools"

installed() {
  test -x "$tools/$1" || GOBIN="$tools" GOFLAGS=-mod=mod go install "$2"
}
installed kustomize sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
installed kube-score github.com/zegl/kube-score/cmd/kube-score@v1.20.0
# The loader that docker compose itself uses. The command it comes with looks at the form only.
test -x "$tools/load-compose" || {
  mkdir -p "$tools/loader"
  cat >"$tools/loader/main.go" <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	options, err := cli.NewProjectOptions(os.Args[1:], cli.WithOsEnv)
	if err == nil {
		_, err = options.LoadProject(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
GO
  (cd "$tools/loader" && rm -f go.mod go.sum && go mod init loader && go get github.com/compose-spec/compose-go/v2/cli@v2.9.0 &&
    go build -o "$tools/load-compose" .) 2>"$tools/loader/log" || { cat "$tools/loader/log" >&2; exit 1; }
}
test -x "$tools/venv/bin/kubernetes-validate" || {
  "$python" -m venv "$tools/venv"
  "$tools/venv/bin/pip" install -q --disable-pip-version-check kubernetes-validate==1.37.0
}

for folder in base overlays/example; do
  built=$tools/$(basename "$folder").yaml
  "$tools/kustomize" build "deploy/kubernetes/$folder" >"$built"
  for version in 1.28 1.32 1.37; do
    "$tools/venv/bin/kubernetes-validate" --strict --quiet -k "$version" "$built"
  done
done
# Left out: pulling the image at each start makes a start depend on its registry; replicas are kept apart by spread
# constraints, which unlike anti-affinity also start on a cluster with one node.
"$tools/kube-score" score --ignore-test container-image-pull-policy,deployment-has-host-podantiaffinity \
  --output-format ci "$tools/example.yaml" >"$tools/score" || { grep -v '^\[\(OK\|SKIPPED\)\]' "$tools/score"; exit 1; }

# As a site has it: the example, with files where its secrets go.
rm -rf "$tools/compose"
mkdir -p "$tools/compose"
cp -r deploy/compose.yaml deploy/nginx "$tools/compose/"
cp -r deploy/site.example "$tools/compose/site"
touch "$tools/compose/site/tls.crt" "$tools/compose/site/tls.key" "$tools/compose/site/database-password"
"$tools/load-compose" "$tools/compose/compose.yaml"
echo "deploy: Kubernetes 1.28, 1.32, 1.37, kube-score and Compose find no fault"
