"""Single neurons: what they answer to, token by token, and what a page shows of them."""

from types import SimpleNamespace

import numpy as np
import pytest
import tiny_models
import torch

from lingua_utils.measure.activations import capture
from lingua_utils.measure.neurons import _may_be_cut, alikeness, readings, token_activations

