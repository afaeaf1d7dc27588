"""Models are saved as their libraries save them, and load again in a process of their own.

Each library is imported in a process of its own: Keras and tf-keras choose a back end for it.
"""

from __future__ import annotations

import pytest

LOADED = """
from hopsml_flows import model

def check(library, *names):
    record = model.get_model("net").record
    assert record.library == library, record
    assert record.library_version[0].isdigit(), record
    files = {file.name for file in record.files}
    assert set(names) <= files, files
    return model.download_model("net")
"""

KERAS = """
import numpy as np
import keras
from hopsml_flows import model

class Small(keras.Model):  # a class of the user's own
    pass

inputs = keras.Input((3,))
net = Small(inputs, keras.layers.Dense(2)(inputs))
model.export(net, "net", input_signature=net.inputs)
path = check("keras", "model.keras")
again = keras.models.load_model(path + "/model.keras", custom_objects={"Small": Small})
x = np.ones((4, 3), "float32")
np.testing.assert_allclose(again.predict(x, verbose=0), net.predict(x, verbose=0))
assert model.get_model("net").record.input_signature == [{"shape": [None, 3], "dtype": "float32"}]
print("as before")
"""

TF_KERAS = """
import numpy as np
import tensorflow as tf
import tf_keras
from hopsml_flows import model

net = tf_keras.Sequential([tf_keras.layers.Input((3,)), tf_keras.layers.Dense(2)])
model.export(net, "net", metrics={"accuracy": tf.constant(0.5)})
path = check("tf_keras", "saved_model.pb", "variables/variables.index")
x = np.ones((4, 3), "float32")
np.testing.assert_allclose(tf_keras.models.load_model(path).predict(x), net.predict(x))
served = tf.saved_model.load(path).signatures["serving_default"]  # as TensorFlow Serving does
[output] = served(tf.constant(x)).values()
np.testing.assert_allclose(output, net.predict(x), rtol=1e-5)
assert model.get_model("net").metrics == {"accuracy": 0.5}
print("as before")
"""

TENSORFLOW = """
import tensorflow as tf
from hopsml_flows import model

class Doubler(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, x):
        return 2 * x

model.export(Doubler(), "net")
assert tf.saved_model.load(check("tensorflow", "saved_model.pb"))(tf.constant([2.0])) == [4.0]
print("as before")
"""

TORCH = """
import torch
from hopsml_flows import model

net = torch.nn.Linear(3, 2)
model.export(net, "net")
state = torch.load(check("torch", "model.pt") + "/model.pt", weights_only=True)
again = torch.nn.Linear(3, 2)
again.load_state_dict(state)
x = torch.ones(4, 3)
assert torch.equal(again(x), net(x))
model.export(torch.jit.script(net), "net")
assert torch.equal(torch.jit.load(check("torch", "model.pt") + "/model.pt")(x), net(x))
print("as before")
"""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("code", [KERAS, TF_KERAS, TENSORFLOW], ids=["keras", "tf-keras", "tf"])
@pytest.mark.slow
def test_a_saved_model_predicts_as_before(code, run_script, project):
    done = run_script(LOADED + code, timeout=500, HOPSML_PROJECT=str(project))
    assert done.stdout.splitlines()[-1] == "as before"


@pytest.mark.torch
@pytest.mark.timeout(600)
def test_a_model_of_pytorch_is_saved_as_its_state_or_as_its_script(run_script, project):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    done = run_script(LOADED + TORCH, timeout=500, HOPSML_PROJECT=str(project))
    assert done.stdout.splitlines()[-1] == "as before"
