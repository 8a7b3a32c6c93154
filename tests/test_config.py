"""What has arguments: configuration, spec, repr, equality, copies; the arrays behind a layer."""

import copy
import gc
import inspect
import json
import math
import pickle
import weakref

import numpy as np
import pytest

import lamina as lm
from lamina import (
    _config,
    activations,
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
    schedules,
)
from lamina._isa import core

MODULES = [
    activations,
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
    schedules,
]
ABSTRACT = {
    activations.Activation,
    activations.ElementwiseActivation,
    activations.RowwiseActivation,
    callbacks.Callback,
    callbacks.LambdaCallback,
    callbacks.OptunaPruningCallback,  # this and the next two: test_callbacks.py
    callbacks.ProgressBar,
    callbacks.TensorBoard,
    constraints.Constraint,
    initializers.Initializer,
    layers.Layer,
    losses.Loss,
    metrics.Metric,
    metrics.RowMetric,
    metrics.SetMetric,
    metrics.UndefinedMetricError,
    optimizers.Optimizer,
    regularizers.Regularizer,
    schedules.Schedule,
}
CLASSES = [
    thing
    for module in MODULES
    for thing in (getattr(module, name) for name in module.__all__)
    if inspect.isclass(thing) and thing not in ABSTRACT
]
REQUIRED = {
    "activation": "tanh",
    "base_learning_rate": 0.25,
    "boundaries": (3, 5),
    "decay_rate": 0.5,
    "filepath": "run.ckpt",
    "filename": "epochs.csv",
    "first_decay_steps": 7,
    "function": abs,
    "gamma": 0.5,
    "layers": [lm.Dense(2), lm.Dense(3, activation="relu")],
    "learning_rate": 0.25,
    "max_learning_rate": 0.5,
    "milestones": (2, 4),
    "output_dim": 3,
    "rate": 0.125,
    "schedule": lm.Cosine(0.5, total_steps=9),
    "shape": (4, 2),
    "stddev": 0.25,
    "step_size": 4,
    "target_shape": (2, -1),
    "units": 3,
    "values": (0.5, 0.25, lm.Cosine(0.125)),
    "warmup_steps": 6,
}
# Another value for each argument, where its default does not suggest one.
OTHER = {
    "activation": activations.LeakyReLU(negative_slope=0.5),
    "anneal_strategy": "linear",
    "bias_constraint": "non_neg",
    "activity_regularizer": regularizers.L1(0.25),
    "alpha": 0.5,
    "average": "macro",
    "beta_initializer": "ones",
    "beta_regularizer": "l2",
    "bias_initializer": initializers.Constant(1.5),
    "bias_regularizer": "l2",
    "boundaries": (3, 8),
    "cardinalities": (7, 5),
    "clipnorm": 1.0,
    "clipvalue": 0.5,
    "embeddings_constraint": constraints.UnitNorm(),
    "embeddings_initializer": initializers.RandomUniform(),
    "embeddings_regularizer": regularizers.L2(0.5),
    "every_epochs": 2,
    "every_minutes": 1.5,
    "every_steps": 100,
    "factor": 0.5,
    "filepath": "run-{epoch}.ckpt",
    "filename": "log.csv",
    "function": math.sqrt,
    "gamma_initializer": initializers.Constant(0.5),
    "gamma_regularizer": regularizers.L1(0.25),
    "global_clipnorm": 2.0,
    "form": "keras",
    "initializer": "zeros",
    "kernel_constraint": constraints.MaxNorm(max_value=0.5),
    "kernel_initializer": initializers.HeNormal(),
    "kernel_regularizer": regularizers.L1L2(l1=0.25, proximal=False),
    "keep": 3,
    "kind": "codes",
    "layers": [lm.Dense(7)],
    "levels": [0.1, 0.9],
    "mean": 0.5,
    "merge": "add",
    "milestones": (3,),
    "missing": "column",
    "mode": "max",
    "monitor": "loss",
    "outputs": [[1, 0]],
    "name": "my_layer",
    "schedule": 0.25,
    "separator": ";",
    "shape": (5,),
    "step_size_down": 30,
    "threshold_mode": "abs",
    "start": "lecun_normal",
    "target_shape": (6,),
    "total_steps": 100,
    "unit": "epoch",
    "values": (0.5, schedules.Step(0.25, step_size=2), 0.125),
    "variance": "softplus",
    "what": "model",
    "wiring": [[], [[0, 0]]],
}


def by_name(cls):
    schedule = issubclass(cls, schedules.Schedule)
    return f"schedules.{cls.__name__}" if schedule else cls.__name__


def make(cls, **changed):
    needed = {
        name: REQUIRED[name]
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.default is parameter.empty
    }
    return cls(**{**needed, **changed})


def another(name, value):
    """A value of the same kind that differs."""
    if name in OTHER:
        return OTHER[name]
    if isinstance(value, str):
        raise AssertionError(f"say in OTHER what {name} could be")
    return (not value) if isinstance(value, bool) else value + 1


def variants():
    """Each class as it stands, and with each argument changed."""
    for cls in CLASSES:
        if cls is schedules.Function:  # cannot be written: test_schedules.py
            continue
        plain = make(cls)
        yield pytest.param(plain, id=by_name(cls))
        for name in inspect.signature(cls).parameters:
            other = another(name, getattr(plain, name))
            yield pytest.param(make(cls, **{name: other}), id=f"{by_name(cls)}-{name}")
        if issubclass(cls, optimizers.Optimizer):
            other = schedules.Cosine(0.75, total_steps=10)
            yield pytest.param(
                cls(learning_rate=other, weight_decay=other), id=f"{by_name(cls)}-schedule"
            )


def test_the_lists_above_find_what_there_is():
    assert {layers.Dense, activations.Softmax, optimizers.Adam, callbacks.EarlyStopping} <= set(
        CLASSES
    )
    assert len(CLASSES) > 35


@pytest.mark.parametrize("thing", list(variants()))
def test_round_trips(thing):
    cls = type(thing)
    spec = thing.to_spec()
    assert spec == {"class": cls.__name__, **thing.get_config()}
    assert list(thing.get_config()) == list(inspect.signature(cls).parameters)
    assert json.loads(json.dumps(spec, allow_nan=False)) == spec
    assert eval(repr(thing), {"lm": lm}) == thing
    assert cls.from_config(thing.get_config()) == thing
    base = next(base for base in cls.__mro__[1:] if issubclass(base, _config.Configurable))
    assert base.from_spec({**spec, "of_a_later_version": 1}) == thing
    for twin in (copy.copy(thing), copy.deepcopy(thing), pickle.loads(pickle.dumps(thing))):
        assert twin == thing
        assert type(twin) is cls
        assert hash(twin) == hash(thing)
        assert twin.to_spec() == spec


@pytest.mark.parametrize("cls", CLASSES, ids=by_name)
def test_every_argument_counts(cls):
    plain = make(cls)
    for name in inspect.signature(cls).parameters:
        value = getattr(plain, name)
        other = make(cls, **{name: another(name, value)})
        assert other != plain, name
        assert repr(other) != repr(plain), name
        if name != "trainable":
            with pytest.raises(AttributeError, match=f"{name} is fixed"):
                setattr(plain, name, another(name, value))
            assert getattr(plain, name) is value
    assert plain == make(cls)
    assert plain != object()


@pytest.mark.parametrize(
    "kind",
    ["activations", "losses", "optimizers", "schedules", "initializers", "regularizers", "layers"],
)
def test_signatures_are_the_cores(kind):
    """Names, order and defaults; no class missing on either side, none extra."""
    entries = {entry["class"]: entry["parameters"] for entry in core.catalogue()[kind]}
    homes = [getattr(lm, kind)]
    classes = {
        cls.__name__: cls
        for home in homes
        for cls in CLASSES
        if f"{cls.__module__}.".startswith(f"{home.__name__}.")
    }
    assert classes.keys() == entries.keys()
    shared = inspect.signature(optimizers.Optimizer).parameters.keys() - {"learning_rate"}
    for name, cls in classes.items():
        ours = list(inspect.signature(cls).parameters.values())
        if kind == "optimizers" and not shared & {p["name"] for p in entries[name]}:
            ours = [parameter for parameter in ours if parameter.name not in shared]
        assert [parameter.name for parameter in ours] == [p["name"] for p in entries[name]], name
        for parameter, theirs in zip(ours, entries[name], strict=True):
            required = parameter.default is parameter.empty
            assert theirs.get("required", required) == required, (name, parameter.name)
            if not required:
                assert parameter.default == theirs["default"], (name, parameter.name)


def test_the_metrics_of_the_core_are_the_row_metrics():
    entries = {entry["class"]: entry["parameters"] for entry in core.catalogue()["metrics"]}
    classes = {cls.__name__: cls for cls in CLASSES if issubclass(cls, metrics.RowMetric)}
    assert classes.keys() == entries.keys()
    for name, cls in classes.items():
        ours = inspect.signature(cls).parameters.values()
        assert [(p.name, p.default) for p in ours] == [
            (p["name"], p["default"]) for p in entries[name]
        ]


def test_every_metric_is_found_by_all_its_names():
    for cls in (cls for cls in CLASSES if issubclass(cls, metrics.Metric)):
        assert getattr(metrics, cls.names()[0]) == cls()
        for name in (cls.__name__, *cls.names()):
            assert metrics.find_metric(name) == cls()
            assert metrics.canonical_key(f"val_{name}") == f"val_{cls().key}"
        for argument in inspect.signature(cls).parameters:
            other = cls(**{argument: another(argument, getattr(cls(), argument))})
            assert metrics.find_metric(other.key) == other
            assert metrics.canonical_key(other.key) == other.key
    assert metrics.canonical_key("val_loss") == "val_loss"
    for text in ("f1_mean", "quantile_loss_x", "accuracy_3", "top_k_x"):
        with pytest.raises(ValueError, match=f"unknown metric '{text}'"):
            metrics.find_metric(text)


def test_every_activation_has_its_ready_made_function():
    for entry in core.catalogue()["activations"]:
        assert type(getattr(activations, entry["name"])).__name__ == entry["class"]


def test_every_public_class_is_documented_with_an_example_that_names_its_arguments():
    for cls in CLASSES:
        text = inspect.getdoc(cls)
        assert ">>> " in text, cls
        for name in inspect.signature(cls).parameters:
            assert name in text.partition("Parameters")[2], (cls, name)


def test_repr_is_short():
    assert repr(lm.Dense(64, activation="relu")) == 'lm.Dense(64, activation="relu")'
    assert repr(lm.Input(64)) == "lm.Input(64)"
    assert repr(lm.Input((28, 28), name="(64,)")) == 'lm.Input((28, 28), name="(64,)")'
    assert repr(lm.Adam()) == "lm.Adam()"
    assert repr(losses.MeanSquaredError()) == "lm.losses.MeanSquaredError()"
    assert repr(lm.Dropout(np.float64(0.5))) == "lm.Dropout(0.5)"


def test_inputs_of_one_column_are_written_in_three_ways():
    assert lm.Input(64) == lm.Input((64,)) == lm.Input(shape=[np.int64(64)])
    assert lm.Input(64).shape == (64,)
    assert lm.Input(64) != lm.Input((64, 1))


def test_one_name_in_two_modules_goes_by_its_place():
    """There is an initialiser Constant and a schedule Constant."""
    dense = lm.Dense(2, bias_initializer=initializers.Constant(0.5))
    assert type(layers.Layer.from_spec(dense.to_spec()).bias_initializer) is initializers.Constant
    sgd = lm.SGD(learning_rate=schedules.Constant(0.5))
    assert type(lm.SGD.from_config(sgd.get_config()).learning_rate) is schedules.Constant


def test_layers_within_layers():
    inner = [lm.Dense(4, kernel_regularizer=lm.L2(0.5)), lm.Dropout(0.5)]
    outer = lm.Parallel([[lm.Input(3), lm.Residual(inner)], lm.Dense(2)], merge="add")
    again = layers.Layer.from_spec(json.loads(json.dumps(outer.to_spec())))
    assert again == outer
    assert again.layers[0][1].layers[0].kernel_regularizer == lm.L2(0.5)
    classes = [type(layer).__name__ for layer in outer._walk()]
    assert classes == ["Parallel", "Input", "Residual", "Dense", "Dropout", "Dense"]


def test_unknown_arguments_and_classes():
    with pytest.raises(TypeError, match="unknown"):
        lm.Dense.from_config({"units": 3, "unknown": 1})
    with pytest.raises(ValueError, match=r"no class 'Densse'; known are Activation, .*Dense"):
        layers.Layer.from_spec({"class": "Densse"})
    with pytest.raises(ValueError, match="no class 'ReLU'"):
        layers.Layer.from_spec({"class": "ReLU"})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -np.inf, np.float32("nan")])
def test_numbers_that_are_none(value):
    with pytest.raises(ValueError, match="LeakyReLU: negative_slope must be a finite number"):
        activations.LeakyReLU(value).to_spec()


def test_arguments_that_no_file_could_hold():
    with pytest.raises(TypeError, match=r"Dense: activation .* got function"):
        lm.Dense(3, activation=lambda x: x).to_spec()
    with pytest.raises(TypeError, match=r"Dense: units .* got ndarray"):
        lm.Dense(np.array([3])).to_spec()


def test_a_subclass_calls_the_original():
    class Doubled(losses.MeanSquaredError):
        def __init__(self, factor):
            self.factor = factor

        def gradient(self, y_true, y_pred, sample_weight=None):
            return self.factor * super().gradient(y_true, y_pred, sample_weight)

    loss = Doubled(3.0)
    assert loss.gradient([0.0], [1.0]).tolist() == [6.0]
    assert loss.to_spec() == {"class": "Doubled", "factor": 3.0}
    assert repr(loss).endswith("Doubled(3.0)")
    assert Doubled.from_config(loss.get_config()) == loss


def test_spec_json():
    assert json.loads(_config.spec_json(lm.L2(0.5))) == {"class": "L2", "l2": 0.5}
    assert json.loads(_config.spec_json("relu")) == "relu"
    assert json.loads(_config.spec_json(None)) is None


# ---- the arrays behind a layer ------------------------------------------------------------------


class StandIn:
    """Of the core's model, what a layer uses."""

    def __init__(self):
        self.values = np.zeros(20, np.float32)
        self.gradients = np.ones(20, np.float32)
        self.calls = []

    def view(self, tensor):
        return self._cut(self.values, tensor)

    def gradient_view(self, tensor):
        return self._cut(self.gradients, tensor)

    def set_trainable(self, layer, flag):
        self.calls.append((layer, flag))

    def _cut(self, flat, tensor):
        return {"d/kernel": flat[:6].reshape(3, 2), "d/bias": flat[6:8]}[tensor]


def bound(**arguments):
    layer, model = lm.Dense(2, **arguments), StandIn()
    layer._bind(model, "d")
    return layer, model


def test_before_a_model_owns_the_layer():
    layer = lm.Dense(2)
    for attribute in ("kernel", "bias", "kernel_gradient", "bias_gradient"):
        with pytest.raises(AttributeError, match=rf"{attribute} .*build a Model first: lm\.Model"):
            getattr(layer, attribute)
    with pytest.raises(AttributeError, match="build a Model first"):
        layer.kernel = np.zeros((3, 2))
    assert not hasattr(lm.Dropout(0.5), "kernel")


def test_views_and_assignment():
    layer, model = bound()
    assert layer.name == "d"
    layer.kernel[:, 1] = 5
    assert model.values[:6].tolist() == [0, 5, 0, 5, 0, 5]
    layer.kernel = [[1, 2], [3, 4], [5, 6]]
    layer.kernel *= 2
    layer.bias = np.array([0.5, 0.25])
    assert model.values[:8].tolist() == [2, 4, 6, 8, 10, 12, 0.5, 0.25]
    assert np.shares_memory(layer.kernel, model.values)
    assert np.shares_memory(layer.kernel_gradient, model.gradients)
    assert layer.bias_gradient.tolist() == [1, 1]


@pytest.mark.parametrize("shape", [(2, 3), (3,), (1, 2), (), (3, 2, 1)])
def test_assignment_never_broadcasts(shape):
    layer, model = bound()
    with pytest.raises(ValueError, match=r'kernel of "d" has shape \(3, 2\), got'):
        layer.kernel = np.ones(shape)
    with pytest.raises(TypeError):
        layer.kernel = np.ones((3, 2), complex)
    assert not model.values.any()


def test_no_bias():
    layer, _ = bound(use_bias=False)
    assert layer.bias is None
    assert layer.bias_gradient is None
    with pytest.raises(AttributeError, match="has no bias"):
        layer.bias = [0, 0]


def test_one_owner():
    layer, model = bound()
    for again in (model, StandIn()):
        with pytest.raises(ValueError, match=r"already belongs to a Model.*copy\.deepcopy"):
            layer._bind(again, "e")
    for twin in (copy.deepcopy(layer), copy.copy(layer), pickle.loads(pickle.dumps(layer))):
        assert twin.name is None
        twin._bind(StandIn(), "e")
        assert (layer.name, twin.name) == ("d", "e")


def test_a_name_of_ones_own_stays():
    layer = lm.Dense(2, name="d")
    layer._bind(StandIn(), "dense")
    assert layer.name == "d"
    assert copy.deepcopy(layer).name == "d"


def test_trainable_can_be_set_at_any_time():
    layer, model = bound()
    assert model.calls == []
    layer.trainable = False
    layer.trainable = True
    assert model.calls == [("d", False), ("d", True)]
    frozen = lm.Dense(2)
    frozen.trainable = False
    assert frozen == lm.Dense(2, trainable=False)
    with pytest.raises(AttributeError, match="units is fixed"):
        layer.units = 3


def test_trainable_where_there_is_little_to_train():
    model = StandIn()
    normalization = lm.BatchNormalization()
    normalization.trainable = False
    normalization._bind(model, "bn")
    assert model.calls == [("bn", False)]
    inner = lm.Dense(2)
    residual = lm.Residual([inner, lm.Dropout(0.5)])
    residual.trainable = False
    assert not inner.trainable


def test_views_keep_the_model_alive():
    layer = lm.Dense(2)
    model = lm.Model([lm.Input(3), layer], seed=0)
    kernel, expected = layer.kernel, layer.kernel.copy()
    alive = weakref.ref(model)
    del model, layer
    gc.collect()
    assert alive() is None or isinstance(alive(), lm.Model)
    assert np.array_equal(kernel, expected)


# ---- optimizers have state ----------------------------------------------------------------------


class Owner:
    """Anything that can be referred to weakly, as a Trainer can."""


def test_an_optimizers_copy_begins_anew():
    weights, gradient = np.ones(3), np.ones(3)
    optimizer = lm.Momentum(learning_rate=1.0, momentum=0.5)
    for _ in range(2):
        optimizer.update(weights, gradient)
    assert weights.tolist() == [-1.5] * 3
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert twin.iterations == 0
        fresh = np.ones(3)
        twin.update([fresh], [gradient])
        assert fresh.tolist() == [0.0] * 3
        assert optimizer.iterations == 2
    optimizer.reset()
    assert optimizer.iterations == 0
    optimizer.update(weights, gradient)
    assert weights.tolist() == [-2.5] * 3


def test_an_optimizer_has_one_owner():
    optimizer, first = lm.Adam(), Owner()
    optimizer._claim(first)
    optimizer._claim(first)
    with pytest.raises(ValueError, match=r"belongs to a Trainer.*copy\.deepcopy"):
        optimizer._claim(Owner())
    copy.deepcopy(optimizer)._claim(Owner())
    used = lm.SGD()
    used.update(np.ones(1), np.ones(1))
    with pytest.raises(ValueError, match=r"has done steps.*copy\.deepcopy"):
        used._claim(first)


def test_the_rate_of_the_next_step():
    optimizer = lm.SGD(learning_rate=lm.Cosine(1.0, total_steps=2))
    rates = []
    for _ in range(3):
        rates.append(optimizer.current_learning_rate)
        optimizer.update(np.ones(1), np.ones(1))
    assert rates == pytest.approx([1.0, 0.5, 0.0])
    assert lm.SGD(learning_rate=0.5).current_learning_rate == 0.5


def test_a_trainer_would_not_call_a_subclasss_update():
    class Mine(lm.SGD):
        def update(self, params, grads):
            super().update(params, grads)

    weights = np.ones(1)
    Mine(learning_rate=0.5).update(weights, np.ones(1))
    assert weights.tolist() == [0.5]
    with pytest.raises(ValueError, match="Mine: a Trainer would not call its own update"):
        Mine()._claim(Owner())
