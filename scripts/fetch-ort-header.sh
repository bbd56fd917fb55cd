#!/usr/bin/env bash
# Fetches the official onnxruntime_c_api.h of the pinned release into DIR, so that the build can check our slot table against it:
#
#   scripts/fetch-ort-header.sh DIR
#   cmake -S . -B build -DBUILD_ADDON=OFF -DORT_HEADER_DIR=DIR && cmake --build build --target ort_header_check
#
# No package holds the header alone. This one repackages the official release for another platform and has the headers beside its
# libraries, which is why about 150 MB come down for 500 KB.
set -euo pipefail

PACKAGE=com.github.asus4.onnxruntime@0.4.9
API_VERSION=29 # of that package; the minor number of the onnxruntime-node release in package.json

if [ $# -ne 1 ]; then
  echo "usage: $0 DIR" >&2
  exit 64
fi
dir=$1
pinned=$(node -p 'require(process.argv[1]).dependencies["onnxruntime-node"].split(".")[1]' "$(cd "$(dirname "$0")/.." && pwd)/package.json")
if [ "$pinned" != "$API_VERSION" ]; then
  echo "package.json pins onnxruntime-node 1.$pinned, but $PACKAGE has the header of 1.$API_VERSION: choose a package that fits" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm pack --silent --ignore-scripts --pack-destination "$work" "$PACKAGE" > /dev/null
tar -xzf "$work"/*.tgz -C "$work" --wildcards '*/ios-arm64_x86_64-simulator/*/Headers/*.h'
header=$(find "$work" -name onnxruntime_c_api.h)
if ! grep -q "^#define ORT_API_VERSION $API_VERSION$" "$header"; then
  echo "$PACKAGE: its onnxruntime_c_api.h is not of API version $API_VERSION" >&2
  exit 1
fi
mkdir -p "$dir"
cp "$(dirname "$header")"/*.h "$dir"
echo "$dir/onnxruntime_c_api.h: API version $API_VERSION"
