#!/bin/sh
# Copies what MODEL_STORE/current has and MODEL_FOLDER lacks. Nothing is deleted here, and no file of a version is changed.
set -eu

if [ -z "$(rclone lsf "$MODEL_STORE/current" --recursive --files-only --include '*.onnx' | head -n 1)" ]; then
  echo "$MODEL_STORE/current holds no model" >&2
  exit 78
fi

# A version that differs between the regions is a mistake which no copy mends: Rclone ends with an error.
rclone copy "$MODEL_STORE/current" "$MODEL_FOLDER" --checksum --immutable --include '/*/{{[0-9]+}}/**'
# Configurations do change; they come after the versions that they may speak of.
rclone copy "$MODEL_STORE/current" "$MODEL_FOLDER" --checksum
rclone check "$MODEL_STORE/current" "$MODEL_FOLDER" --one-way
