"""Each rule on made-up numbers, on both sides of what it compares with."""

import dataclasses
import math

import numpy as np
import pytest

import lamina as lm
from lamina.diagnosis import DataFacts, Facts, LayerFacts, TrialFacts, diagnose
from lamina.diagnosis import thresholds as t
from lamina.diagnosis.rules.convergence import not_converged, plateau, underfit
from lamina.diagnosis.rules.layers import (
    dead_units,
    exploding_gradient,
    saturated_units,
    vanishing_gradient,
)
from lamina.diagnosis.rules.overfit import overfit
from lamina.diagnosis.rules.rate import diverged, rate_too_high, rate_too_low

JUST = 0.01  # beside a threshold


def level(found):
    """What a rule has found: nothing, a hint or a problem."""
    return found[0].level if found else None


def ended(train, val, *trials, epochs=20, curve=None, **known):
    """A training that ended at these losses; the best constant's is 1."""
    curve = np.linspace(0.9, train, epochs).tolist() if curve is None else curve
    return Facts(
        loss=curve,
        train_loss_eval=curve,
        val_loss=[value + val - train for value in curve],
        epoch=list(range(len(curve))),
        final_train_loss=train,
        final_val_loss=val,
        **{"baseline_loss": 1.0, "trials": list(trials), **known},
    )


def trial(name, loss, epochs=20, **known):
    return TrialFacts(name, epochs, loss, loss, **known)


BEST = trial("reference", 0.0)  # so that the possible gain is 1


# ---- OVERFIT


def turned(lowest, end, train_end=0.0, epochs=40, jitter=0.0):
    """A validation curve with a turn, while the training loss falls; the best constant's is 1."""
    half = epochs // 2
    val = np.concatenate([np.linspace(0.9, lowest, half), np.linspace(lowest, end, half)])
    val += jitter * np.resize([1, -1], epochs)
    train = np.linspace(0.8, train_end, epochs)
    return Facts(
        loss=train.tolist(),
        train_loss_eval=train.tolist(),
        val_loss=val.tolist(),
        epoch=list(range(epochs)),
        baseline_loss=1.0,
    )


def test_overfit_is_what_was_lost_since_the_turn():
    gain = 1 - 0.4
    assert level(overfit(turned(0.4, 0.4 + (t.LOST_SHARE + JUST) * gain))) == "problem"
    assert level(overfit(turned(0.4, 0.4 + (t.LOST_SHARE - JUST) * gain))) == "hint"
    assert overfit(turned(0.4, 0.4 + t.LOST_SHARE_HINT * gain / 2)) == []
    assert overfit(turned(0.4, 0.7))[0].epoch in (19, 20)


def test_overfit_near_a_perfect_fit_is_a_gap_that_has_opened():
    """Little of the gain is lost, and yet the gap has grown by half."""
    rise = 2 * t.OPENED_SHARE * 0.1
    assert level(overfit(turned(0.1, 0.1 + rise))) == "problem"
    assert level(overfit(turned(0.4, 0.4 + rise))) == "hint"


def test_overfit_rises_out_of_the_noise():
    rise = turned(0.4, 0.5)
    assert level(overfit(rise)) == "problem"
    assert overfit(turned(0.4, 0.5, jitter=0.1 / t.RISE_OVER_JITTER)) == []


def test_overfit_is_not_to_unlearn():
    """Both losses rise."""
    one = turned(0.4, 0.7)
    back = [*one.train_loss_eval[:20], *np.linspace(0.4, 0.6, 20)]
    assert overfit(dataclasses.replace(one, train_loss_eval=back, loss=back)) == []


def test_overfit_without_a_turn_is_half_of_what_was_learnt():
    """A hint: of few rows nobody may learn more. The verdict says it in any case."""
    for share, expected in ((t.WIDE_GAP_SHARE, "hint"), (t.WIDE_GAP_SHARE - JUST, None)):
        one = ended(0.1, 0.1 + share * 0.9 + 1e-9)
        assert level(overfit(one)) == expected
        assert (diagnose(one).verdict == "overfitting") == (expected is not None)


def test_overfit_by_heart_needs_a_least_loss():
    train = 0.3 * t.BY_HEART / 2
    assert overfit(ended(train, 0.3)) == []
    assert level(overfit(ended(train, 0.3, least_loss=0.0))) == "problem"
    assert overfit(ended(train, 0.3, least_loss=-1.0)) == []
    assert overfit(ended(0.3 * t.BY_HEART * 2, 0.3, least_loss=0.0)) == []


# ---- UNDERFIT, NOT_CONVERGED, PLATEAU


def test_underfit_is_behind_the_plain_network_on_both_rows():
    over, below = t.MATERIAL_SHARE + JUST, t.MATERIAL_SHARE - JUST
    assert level(underfit(ended(over, over, BEST))) == "problem"
    assert underfit(ended(below, below, BEST)) == []
    assert underfit(ended(0.0, 0.5, BEST)) == []  # it knows its training rows
    assert underfit(ended(over, over)) == []  # nobody knows what could be reached


@pytest.mark.parametrize(
    ("about", "what"),
    [({}, "units"), ({"dropout": 0.9}, "dropout"), ({"dropout": 0.9, "penalised": True}, "ten")],
)
def test_underfit_suggests_to_loosen_what_holds_it_back(about, what):
    held = ended(0.5, 0.5, BEST)
    held.about.update(about)
    (found,) = underfit(held)
    assert what in found.suggestion


def test_not_converged_is_what_going_on_gains():
    for gained, expected in ((t.MATERIAL_SHARE, "problem"), (t.MATERIAL_SHARE / 2, None)):
        longer = trial("longer", 0.5 - gained - 1e-9)
        assert level(not_converged(ended(0.5, 0.5, BEST, longer))) == expected


def test_not_converged_near_a_perfect_fit_is_a_share_of_what_is_left():
    for gained, expected in ((0.03, "problem"), (0.015, None)):
        one = ended(0.06, 0.06, BEST, trial("longer", 0.06 - gained))
        assert level(not_converged(one)) == expected


def test_not_converged_needs_more_where_chance_has_a_part():
    """The best loss that is known is above half of the best constant's."""
    best, longer = trial("reference", 0.6), trial("longer", 0.61)
    for least, expected in ((0.5, "problem"), (0.0, None)):
        one = ended(0.63, 0.63, best, longer, least_loss=least)
        assert level(not_converged(one)) == expected
    far = ended(0.7, 0.7, best, longer, least_loss=0.0)
    assert level(not_converged(far)) == "problem"


def test_not_converged_after_few_steps_needs_less():
    data = DataFacts(rows=320)
    going_on = trial("longer", 0.5 * (1 - t.FEW_STEPS_SHARE) - 1e-9)
    for epochs, expected in ((5, "problem"), (50, None)):
        one = ended(0.5, 0.5, BEST, going_on, epochs=epochs, data=data, about={"batch_size": 32})
        assert level(not_converged(one)) == expected


def test_not_converged_is_nothing_if_the_model_is_as_good_as_the_plain_network():
    one = ended(0.5, 0.5, trial("reference", 0.5), trial("longer", 0.3))
    assert not_converged(one) == []


def test_not_converged_without_a_trial_is_a_hint():
    assert level(not_converged(ended(0.3, 0.32))) == "hint"
    level_curve = [0.3 + 0.6 * math.exp(-n) for n in range(20)]
    assert not_converged(ended(0.3, 0.32, curve=level_curve)) == []


CIRCLING = [0.3, *[0.21, 0.19] * 15]


def circling(end=0.2, slower=0.05, anew=0.05):
    trials = BEST, trial("slower", slower), trial("again_slower", anew)
    return ended(end, end, *trials, curve=[value + end - 0.2 for value in CIRCLING])


def test_plateau_is_what_a_tenth_of_the_rate_still_gains():
    assert level(plateau(circling())) == "problem"
    assert plateau(circling(slower=0.2 * (1 - t.RESCUED_SHARE) + JUST)) == []
    assert plateau(circling(anew=0.2)) == []
    assert level(plateau(circling(end=t.LEARNT_MOST + 2 * JUST))) != "problem"


def test_plateau_is_no_curve_that_falls():
    one = circling()
    falling = np.linspace(0.4, 0.2, len(one.epoch)).tolist()
    assert plateau(dataclasses.replace(one, train_loss_eval=falling)) == []


def test_plateau_is_a_rate_that_a_schedule_took_away():
    curve = [0.6, 0.5, *[0.45] * 18]
    good, tiny = 1e-3, 1e-3 * t.GONE_RATE / 2
    gone = ended(0.45, 0.45, BEST, curve=curve, learning_rate=[good] * 5 + [tiny] * 15)
    assert level(plateau(gone)) == "problem"
    kept = dataclasses.replace(gone, learning_rate=[good] * 15 + [tiny] * 5)
    assert level(plateau(kept)) == "hint"
    enough = dataclasses.replace(gone, trials=[trial("reference", 0.44)])
    assert plateau(enough) == []


def test_plateau_is_a_layer_of_units_that_are_alike():
    for share, expected in ((1.0, "problem"), (0.5, None)):
        hidden = LayerFacts("dense", alike=share)
        assert level(plateau(ended(0.5, 0.5, BEST, layers=[hidden]))) == expected
    output = LayerFacts("dense", alike=1.0, output=True)
    assert plateau(ended(0.5, 0.5, BEST, layers=[output])) == []


# ---- DIVERGED, LR_TOO_HIGH, LR_TOO_LOW


@pytest.mark.parametrize("reason", ["all epochs done", "EarlyStopping: …", None])
def test_diverged_is_not_any_other_end(reason):
    assert diverged(ended(0.1, 0.1, stop_reason=reason)) == []


def test_diverged_is_said_or_seen():
    assert level(diverged(ended(0.1, 0.1, stop_reason="diverged: …"))) == "problem"
    assert level(diverged(Facts(loss=[1.0, math.nan], epoch=[0, 1]))) == "problem"


def test_rate_too_high_is_proven_by_a_tenth_of_it():
    def tried(usual, slower):
        return ended(0.5, 0.5, BEST, trial("again", usual), trial("again_slower", slower))

    over, below = 0.5 - t.MATERIAL_SHARE - JUST, 0.5 - t.MATERIAL_SHARE + JUST
    assert level(rate_too_high(tried(0.5, over))) == "problem"
    assert rate_too_high(tried(0.5, below)) == []
    assert rate_too_high(tried(over, over)) == []  # the rate as it is does as well
    assert level(rate_too_high(tried(math.inf, over))) == "problem"


def test_rate_too_high_is_the_cause_of_diverging():
    usual = trial("again", math.inf, diverged=True)
    one = ended(0.9, 0.9, BEST, usual, trial("again_slower", 0.2), stop_reason="diverged: …")
    found = diagnose(one)
    assert found.codes == ["LR_TOO_HIGH"]
    assert [one.code for one in found if one.level == "hint"][:1] == ["DIVERGED"]
    slower = trial("again_slower", math.inf, diverged=True)
    assert diagnose(dataclasses.replace(one, trials=[BEST, usual, slower])).codes == ["DIVERGED"]


def test_rate_too_high_is_a_training_far_behind_its_own_rate():
    """Some steps of a schedule were far too long, and threw the weights."""

    def one(reached, growth):
        thrown = LayerFacts(
            "dense", start={"weight_norm": 1.0}, values={"weight_norm": [growth, growth]}
        )
        return ended(0.5, 0.5, BEST, trial("again", reached), layers=[thrown])

    over, below = 0.5 - t.THROWN_OFF_SHARE - JUST, 0.5 - t.THROWN_OFF_SHARE + JUST
    assert level(rate_too_high(one(over, t.THROWN_OFF_GROWTH + JUST))) == "problem"
    assert rate_too_high(one(below, t.THROWN_OFF_GROWTH + JUST)) == []
    assert rate_too_high(one(over, t.THROWN_OFF_GROWTH - JUST)) == []


def test_rate_too_high_without_trials_is_a_loss_that_jumps():
    def jumping(share):
        curve = [0.5 + share * (-1) ** n for n in range(20)]
        return ended(0.5 - share, 0.5, curve=curve, baseline_loss=1.0)

    assert level(rate_too_high(jumping(0.1))) == "problem"
    assert level(rate_too_high(jumping(0.008))) == "hint"
    assert rate_too_high(jumping(0.002)) == []
    running = dataclasses.replace(jumping(0.1), train_loss_eval=[], final_train_loss=None)
    assert level(rate_too_high(running)) == "hint"  # dropout may do that


def slow(longer=0.48, faster=0.1, end=0.5, **known):
    """A smooth and slow training, and what came of ten times its rate."""
    trials = (
        BEST,
        trial("longer", longer, steps=500),
        trial("faster", faster, steps=500),
        trial("again_faster", faster, steps=500),
    )
    return ended(end, end, *trials, **known)


def test_rate_too_low_is_what_ten_times_of_it_gains():
    assert level(rate_too_low(slow())) == "problem"
    assert rate_too_low(slow(faster=0.5 - t.MATERIAL_SHARE + JUST)) == []
    assert rate_too_low(slow(end=t.MATERIAL_SHARE - JUST, longer=0.08, faster=0.0)) == []


def test_rate_too_low_is_not_too_few_steps():
    few = slow(epochs=5, data=DataFacts(rows=320), about={"batch_size": 32})
    assert rate_too_low(few) == []
    quick = slow(longer=0.5 * (1 - 2 * t.PROGRESS_OF_A_STEP) ** 500)
    assert rate_too_low(quick) == []
    assert level(not_converged(quick)) == "problem"


def test_rate_too_low_never_leads_uphill():
    curve = [0.5 + 0.01 * (-1) ** n for n in range(20)]
    assert rate_too_low(slow(curve=curve)) == []


def test_rate_too_low_without_trials_is_a_hint():
    def stepping(ratio):
        layer = LayerFacts("dense", values={"update_ratio": [ratio] * 3})
        return ended(0.5, 0.5, layers=[layer])

    assert level(rate_too_low(stepping(t.LOW_UPDATE_RATIO / 2))) == "hint"
    assert rate_too_low(stepping(t.LOW_UPDATE_RATIO * 2)) == []


# ---- layers


def layers(**values):
    """Three layers; each value a list of one number a layer, the last of the output."""
    return [
        LayerFacts(
            f"dense_{n}",
            output=n == 2,
            units=10,
            values={key: [math.nan, numbers[n]] for key, numbers in values.items()},
        )
        for n in range(3)
    ]


@pytest.mark.parametrize(
    ("rule", "name", "problem", "hint"),
    [
        (dead_units, "dead", t.DEAD_SHARE, t.DEAD_SHARE_HINT),
        (saturated_units, "saturated", t.SATURATED_SHARE, t.SATURATED_SHARE_HINT),
    ],
)
def test_shares_of_units(rule, name, problem, hint):
    def one(share, *trials):
        return ended(0.5, 0.5, *trials, layers=layers(**{name: [0.0, share, math.nan]}))

    assert level(rule(one(problem))) == "problem"
    assert level(rule(one(problem - JUST))) == "hint"
    assert rule(one(hint - JUST)) == []
    found = rule(one(problem, BEST))
    assert (found[0].level, found[0].layer) == ("problem", "dense_1")
    assert found[0].evidence["share"] == problem
    unharmed = one(1.0, trial("reference", 0.5))
    assert level(rule(unharmed)) == "hint"


def test_layers_do_no_harm_if_much_is_explained():
    """Without a plain network beside it, the curves know that much."""
    half = layers(dead=[t.DEAD_SHARE, 0.0, math.nan])
    assert level(dead_units(ended(0.2, 0.2, layers=half))) == "problem"
    for val, expected in ((0.6, "problem"), (0.4, "hint")):
        assert level(dead_units(ended(0.3, val, layers=half, least_loss=0.0))) == expected


def test_a_sure_output_is_not_saturated_but_a_dead_one_is_dead():
    shares = [0.0, 0.0, 1.0]
    assert saturated_units(ended(0.5, 0.5, layers=layers(saturated=shares))) == []
    assert dead_units(ended(0.5, 0.5, layers=layers(dead=shares)))[0].layer == "dense_2"


def test_vanishing_gradient_compares_layers_beside_their_weights():
    def one(ratio, weight=1.0, **known):
        norms = {"gradient_norm": [ratio * weight, 1.0, 1.0], "weight_norm": [weight, 1.0, 1.0]}
        return ended(0.5, 0.5, layers=layers(**norms), **known)

    assert level(vanishing_gradient(one(t.VANISHING_RATIO / 2))) == "problem"
    assert vanishing_gradient(one(t.VANISHING_RATIO * 2)) == []
    assert vanishing_gradient(one(t.VANISHING_RATIO * 2, weight=1e-4)) == []
    assert level(vanishing_gradient(one(t.VANISHING_RATIO / 2, trials=[BEST]))) == "problem"
    harmless = one(t.VANISHING_RATIO / 2, trials=[trial("reference", 0.5)])
    assert level(vanishing_gradient(harmless)) == "hint"


def test_gradients_that_shrink_with_the_loss_do_not_vanish():
    values = {"gradient_norm": [1.0, 1e-3, 1e-6], "weight_norm": [1.0, 1.0, 1.0]}
    both = [LayerFacts(name, values=values) for name in ("dense", "dense_1")]
    assert vanishing_gradient(ended(0.1, 0.1, layers=both)) == []


def started(**values):
    """Three layers as they were before the first step."""
    return [
        LayerFacts(
            f"dense_{n}", output=n == 2, start={key: numbers[n] for key, numbers in values.items()}
        )
        for n in range(3)
    ]


def test_vanishing_gradient_at_the_start_has_no_other_cause():
    norms = {"gradient_norm": [1e-6, 0.1, 1.0], "weight_norm": [1.0, 1.0, 1.0]}
    assert level(vanishing_gradient(ended(0.9, 0.9, BEST, layers=started(**norms)))) == "problem"
    blocked = started(**norms, saturated=[0.0, 0.9, math.nan])
    assert level(vanishing_gradient(ended(0.9, 0.9, BEST, layers=blocked))) == "hint"
    zeros = {"gradient_norm": [0.0, 0.0, 1.0], "weight_norm": [0.0, 0.0, 0.0]}
    assert level(vanishing_gradient(ended(0.9, 0.9, BEST, layers=started(**zeros)))) == "problem"


def test_exploding_gradient_is_a_spread_that_grows_from_layer_to_layer():
    def one(growth, known=started, **more):
        spreads = [1.0, growth, 1.0]
        return ended(0.9, 0.9, BEST, layers=known(spread=spreads), **more)

    assert level(exploding_gradient(one(t.EXPLODING_SPREAD))) == "problem"
    assert exploding_gradient(one(t.EXPLODING_SPREAD / 2)) == []
    assert level(exploding_gradient(one(t.EXPLODING_SPREAD, layers))) == "hint"
    wide_output = ended(0.9, 0.9, BEST, layers=started(spread=[1.0, 1.0, 1e6]))
    assert exploding_gradient(wide_output) == []


def test_normalization_is_not_compared():
    kinds = ["BatchNormalization", "Dense", "Dense"]
    norms = {"gradient_norm": [1e-9, 1.0, 1.0], "weight_norm": [1.0, 1.0, 1.0]}
    made = [
        dataclasses.replace(layer, kind=kind)
        for layer, kind in zip(layers(**norms), kinds, strict=True)
    ]
    assert vanishing_gradient(ended(0.5, 0.5, layers=made)) == []


# ---- causes and consequences together


def test_dead_units_explain_what_follows_from_them():
    dead = layers(
        dead=[1.0, 0.0, math.nan], gradient_norm=[0.0, 0.0, 1.0], weight_norm=[1.0, 1.0, 1.0]
    )
    found = diagnose(ended(0.9, 0.9, BEST, layers=dead))
    assert found.codes == ["DEAD_UNITS"]
    assert {one.code for one in found if one.level == "hint"} >= {"UNDERFIT"}


def test_a_rate_that_is_too_high_explains_dead_units():
    tried = [BEST, trial("again", 0.9), trial("again_slower", 0.1)]
    found = diagnose(ended(0.9, 0.9, *tried, layers=layers(dead=[1.0, 0.0, math.nan])))
    assert found.codes == ["LR_TOO_HIGH"]


# ---- what belongs together


def test_steps_that_change_nothing_need_no_trial_with_others():
    for ratio, expected in ((t.TINY_UPDATE_RATIO / 2, "problem"), (t.TINY_UPDATE_RATIO * 2, None)):
        layers = [LayerFacts("dense", values={"update_ratio": [ratio] * 20})]
        one = ended(0.9, 0.9, BEST, trial("again_faster", 0.89), layers=layers)
        assert level(rate_too_low(one)) == expected


def test_a_rate_too_low_is_why_it_has_not_converged():
    layers = [LayerFacts("dense", values={"update_ratio": [t.TINY_UPDATE_RATIO / 2] * 20})]
    found = diagnose(ended(0.9, 0.9, BEST, trial("longer", 0.7), layers=layers))
    assert found.codes == ["LR_TOO_LOW"]
    later = next(one for one in found if one.code == "NOT_CONVERGED")
    assert (later.level, later.suggestion) == (
        "hint",
        "Mend LR_TOO_LOW first: it can be the cause.",
    )


def test_nobody_is_told_to_raise_the_rate_and_to_lower_it():
    values = {"update_ratio": [t.TINY_UPDATE_RATIO / 2] * 20}
    curve = [*np.linspace(0.95, 0.9, 10), *np.resize([0.9, 0.9 + t.SWING_SHARE_HINT * 3], 10)]
    one = ended(0.9, 0.9, BEST, curve=curve, layers=[LayerFacts("dense", values=values)])
    assert level(rate_too_high(one)) is not None
    assert {"LR_TOO_LOW"} == {f.code for f in diagnose(one) if f.code.startswith("LR_")}


def test_heads_beside_each_other_are_no_layers_in_a_row():
    def facts(*outputs):
        layers = [
            LayerFacts(name, output=name in outputs, start={"gradient_norm": g, "weight_norm": 1.0})
            for name, g in (("dense", 1.0), ("p", t.VANISHING_RATIO / 10), ("q", 1.0))
        ]
        return ended(0.9, 0.9, BEST, layers=layers)

    assert level(vanishing_gradient(facts("q"))) == "problem"
    assert vanishing_gradient(facts("p", "q")) == []


def test_training_rows_have_a_best_constant_of_their_own():
    """Validation rows that scatter more make no gap."""
    one = ended(0.55, 0.9, baseline_loss=1.0, baseline_train_loss=0.6, least_loss=0.0, epochs=40)
    other = dataclasses.replace(one, baseline_train_loss=1.0)
    assert diagnose(one).verdict == "underfitting"
    assert diagnose(other).verdict == "overfitting"


@pytest.mark.parametrize("seed", [33, 41, 52])
def test_few_rows_of_another_variance_are_not_known_by_heart(seed):
    """Stopped far too early, with validation rows that scatter otherwise than those trained on."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(600, 4))
    model = lm.Model([lm.Input(4), lm.Dense(16, activation="relu"), lm.Dense(1)], seed=seed)
    trainer = lm.Trainer(model, loss="mse", num_threads=1)
    history = trainer.fit(x, 30 * x[:, 1], epochs=30, validation_split=0.3, verbose=0)
    assert history.verdict == "underfitting"
