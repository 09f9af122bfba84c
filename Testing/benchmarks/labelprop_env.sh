#!/bin/sh
# Makes LabelProp's own virtual environment (.venv-labelprop beside pyproject.toml, 1.2 GB) for
# `muscleprop benchmark --methods labelprop`. Torch comes from the CPU index, because the default wheels of Linux bring
# gigabytes of CUDA along; TORCH_INDEX names another index, and if it is empty pip's own configuration holds.
set -eu
cd "$(dirname "$0")/../.."
index=${TORCH_INDEX-https://download.pytorch.org/whl/cpu}
"${PYTHON:-python3}" -m venv .venv-labelprop
pip=.venv-labelprop/bin/pip
"$pip" install ${index:+--index-url "$index"} "torch==2.13.0" "torchvision==0.28.0"
# It uses scikit-image without asking for it, and a function that plotext 6 no longer has.
"$pip" install "deep-labelprop==1.2.3" scikit-image "plotext<6"
# LabelProp can do without torchvision; others that find one built for CUDA, where no other is to be had, cannot.
.venv-labelprop/bin/python -c "import torchvision" 2>/dev/null || "$pip" uninstall --yes torchvision
echo "LabelProp is ready in .venv-labelprop"
