#!/usr/bin/env bash
# Installs the programs that `make test-browser` and `make test-services` drive, where they are missing.
#
#   tests/system.sh browser     Chromium, pdflatex with siunitx, pdffonts
#   tests/system.sh services    PostgreSQL
set -euo pipefail

missing=()
need() { # package, and a test that says whether it is here
	local package=$1
	shift
	"$@" >/dev/null 2>&1 || missing+=("$package")
}
postgres_is_here() { compgen -G '/usr/lib/postgresql/*/bin/initdb' || command -v initdb; }

case "${1:-}" in
browser)
	need chromium command -v chromium
	need fonts-dejavu-core test -d /usr/share/fonts/truetype/dejavu
	need poppler-utils command -v pdffonts
	need texlive-latex-base command -v pdflatex
	need texlive-latex-recommended kpsewhich booktabs.sty
	need texlive-science kpsewhich siunitx.sty
	;;
services)
	need postgresql postgres_is_here
	;;
*)
	echo "usage: tests/system.sh browser | services" >&2
	exit 2
	;;
esac

[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "These programs are missing; install them first (names of Debian packages): ${missing[*]}" >&2
	exit 1
fi
echo "Installing ${missing[*]} ..."
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
