#!/bin/sh
# Makes MODEL_STORE/current the same as MODEL_FOLDER. Files that this changes or removes there move to MODEL_STORE/replaced/DAY first.
set -eu

# A volume that is not filled, or not mounted, must not become the backup.
if [ -z "$(find "$MODEL_FOLDER" -name '*.onnx' | head -n 1)" ]; then
  echo "$MODEL_FOLDER holds no model: nothing is backed up" >&2
  exit 78
fi

rclone sync "$MODEL_FOLDER" "$MODEL_STORE/current" --checksum --backup-dir "$MODEL_STORE/replaced/$(date -u +%Y-%m-%d)"
# Sizes and hashes, as the store gives them.
rclone check "$MODEL_FOLDER" "$MODEL_STORE/current"
