"""Every number that a rule compares with, and why it is that number.

They are shares and ratios, so they hold for any loss, unit and size. The *gain* is how far a loss
came down from that of the best constant prediction (without it: from the first epoch's); "a tenth
of the gain" means the same for a mean squared error in pounds and for a cross-entropy. None
of them is fitted: any one may be halved or doubled, and at most one in fifty of the zoo's trainings
that they were chosen on (bench/doctor) is judged otherwise.
"""

# ---- what is worth speaking of ------------------------------------------------------------------

#: A difference between two losses counts from this share of the possible gain on: twins of a
#: training that differ in nothing but the seed are some 0.02 apart.
MATERIAL_SHARE = 0.1

#: Where nearly all of the gain is reached, a difference may be small in that measure and still
#: halve what is left. It counts from this share of the gain on …
SMALL_SHARE = 0.02

#: … if it is this share of what lies between the loss and the lowest that is known, and new rows
#: can be predicted so well that chance has a small part in their loss (MUCH_EXPLAINED).
SHARE_OF_WHAT_IS_LEFT = 0.3

#: A training that has come to less than this of all that is possible has learnt the most.
LEARNT_MOST = 0.35

# ---- overfitting --------------------------------------------------------------------------------

#: Fewer epochs than this have no turn that could be told from noise.
FEWEST_EPOCHS_TO_TURN = 5

#: The training rows are known by heart if their loss is this share of the validation loss (of
#: losses that cannot be below 0).
BY_HEART = 0.02

#: OVERFIT is a problem if this share of what was gained on new rows has been lost again …
LOST_SHARE = 0.1

#: … or this one without a baseline, as the first epoch has then gained already …
LOST_SHARE_WITHOUT_BASELINE = 0.2

#: … or this one, which is a hint …
LOST_SHARE_HINT = 0.03

#: … and a problem if the gap between the losses has grown by this share of itself since the turn.
OPENED_SHARE = 0.3

#: The rise must stick out of the curve's own jumps by this factor: three is the habit of all
#: who tell signals from noise.
RISE_OVER_JITTER = 3.0

#: Training and validation loss must lie this share of the gain apart, too: where both rise
#: together the model unlearns, and that is no overfitting. Below it new rows are known as well.
GAP_SHARE = 0.05

#: A gap of this share of the gain without a turn: half of what was learnt is not true of new rows.
#: The verdict says so; as a finding it is a hint.
WIDE_GAP_SHARE = 0.5

# ---- freedom ------------------------------------------------------------------------------------

#: Dropout from this rate on is looked at first if a model does not learn enough.
MUCH_DROPOUT = 0.5

# ---- convergence --------------------------------------------------------------------------------

#: The curves are still falling if the last third of the epochs brought this share of the gain, on
#: both rows. An exponential that has fallen to a tenth has a late share of 0.13; to a hundredth, of
#: 0.04.
STILL_FALLING_SHARE = 0.06

#: A curve stands still if the last half of its epochs brought less than this share of the gain.
STANDSTILL_SHARE = 0.02

#: Fewer epochs than this are no plateau.
FEWEST_EPOCHS_OF_A_PLATEAU = 8

#: UNDERFIT: the model's loss on its own training rows is above what the plain network has on new
#: rows by this share of the gain. With noise alone both would be equal.
UNDERFIT_TRAIN_SHARE = 0.05

#: Fewer steps than this are few at any rate: Adam with 0.001 moves a weight by 0.25 at most.
FEW_STEPS = 250

#: After few steps it is NOT_CONVERGED if training on closes this share of what is missing.
FEW_STEPS_SHARE = 0.15

#: PLATEAU: a tenth of the rate must bring at least this share of the gain …
CIRCLING_SHARE = 0.01

#: … and this share of what is missing, from where the loss stands. (Anew it must bring half of it.)
RESCUED_SHARE = 0.3

#: A layer with more units of equal weights than this is hardly more than one unit.
ALIKE_SHARE = 0.9

# ---- learning rate ------------------------------------------------------------------------------

#: A loss of the training rows that goes up and down by this share of the gain in an average epoch
#: jumps about: healthy trainings are below 0.003.
SWING_SHARE = 0.02

#: The same as a hint.
SWING_SHARE_HINT = 0.01

#: A loss that was this many gains above the best constant's in an early epoch was thrown there, or
#: began there.
THROWN_SHARE = 20.0

#: Below this swing a curve is smooth: its steps are too short to ever lead uphill.
SMOOTH_SHARE = 0.001

#: A step that takes away less than this of what is still missing is slow: 500 of them leave 8 %.
PROGRESS_OF_A_STEP = 0.005

#: A rate below this share of the highest one trains nothing any more.
GONE_RATE = 0.01

#: The same network at its usual rate must be ahead by this share to prove that other steps of the
#: training were far too long.
THROWN_OFF_SHARE = 0.3

#: … and these must have thrown the weights of a layer to this many times their first size: without
#: such steps they stay within three times of it, and with them it is seven times and more.
THROWN_OFF_GROWTH = 5.0

#: A step that changes a layer's weights by more than this share of them throws away what the
#: steps before it found; 0.001 is usual.
HIGH_UPDATE_RATIO = 0.1

#: A step that changes weights by less than this share of them needs tens of thousands of steps
#: to make anything of them.
LOW_UPDATE_RATIO = 5e-5

#: Below this a thousand steps change weights by less than a hundredth: no number of steps will do.
TINY_UPDATE_RATIO = 1e-5

# ---- layers -------------------------------------------------------------------------------------

#: A layer in which half of the units are dead has lost half of its width; some are dead in every
#: network with ReLU.
DEAD_SHARE = 0.5

#: The same as a hint.
DEAD_SHARE_HINT = 0.25

#: Where a penalty has made half of a layer's weights 0, it is the penalty that silences units and
#: holds gradients up.
SHRUNK_SHARE = 0.5

#: A hidden layer in which half of the units sit at a bound hands on little more than bits.
SATURATED_SHARE = 0.5

#: The same as a hint.
SATURATED_SHARE_HINT = 0.25

#: Gradients vanish if a layer's, beside its weights, is this much smaller than the largest of a
#: layer behind it: five sigmoids at their best slope give 1/4 to the fifth, about this; of a
#: well-started network the smallest is 0.03.
VANISHING_RATIO = 1e-3

#: Signals explode if a hidden layer spreads this many times as wide as one before it; a network
#: with well chosen weights keeps the spread within a factor of three.
EXPLODING_SPREAD = 60.0

#: Layers do harm if the plain network is ahead by this share of the gain …
HARM_SHARE = 0.1

#: … or by this one, for units that are saturated now, which is never wanted.
SMALL_HARM_SHARE = 0.02

# ---- verdict ------------------------------------------------------------------------------------

#: A model that has gone less of the way from the best constant's loss to the least possible one has
#: learnt hardly anything: of squared errors, less than a twentieth of the variance is explained.
HARDLY_EXPLAINED = 0.05

#: Below this share of that way one may ask whether more can be had, though the fit is a good one:
#: chance, or too little freedom?
MUCH_EXPLAINED = 0.5

#: Without a trial that goes on, a curve must have this many epochs to show where it goes.
FEWEST_EPOCHS_TO_JUDGE = 3

# ---- data ---------------------------------------------------------------------------------------

#: A column whose root mean square is above this is large: pictures of 0 to 16 train well as they
#: are, those of 0 to 255 do not.
LARGE_SIZE = 30.0

#: … and below this it is small: a network hardly hears it beside the others.
SMALL_SIZE = 0.03

#: A mean that lies this many spreads from 0 hides how the column varies.
FAR_MEAN = 10.0

#: A value so many spreads from the mean is an outlier, for which lm.RobustScale is made.
OUTLIER = 10.0

#: A column with so large a share of rows of one value is nearly constant …
NEARLY_CONSTANT = 0.95

#: … and constant columns of that value, within this share of the usual spread, are of its kind.
SAME_VALUE = 0.25

#: A column that was constant in training and is another in more of the validation rows has changed.
CHANGED_SHARE = 0.05

#: A Kolmogorov-Smirnov distance above this is worth mending: half a spread further gives 0.2 …
SHIFT = 0.2

#: … of classes, whose shares are often made alike on purpose, the share of rows that is elsewhere …
CLASS_SHIFT = 0.4

#: … and above this worth a look …
SHIFT_HINT = 0.1

#: … if chance alone gives it in one of so few visits, whatever the number of columns.
SHIFT_CHANCE = 1e-4

#: All columns together have moved if their mean distance is above what chance gives by this much.
MEAN_SHIFT = 0.03

#: A class is rare with less than this share of the rows that it would have if all were alike: of
#: two classes below 15 %, of ten below 3 %.
RARE = 0.3

#: Rare classes are found if at least this share of their rows is.
FOUND = 0.6

#: A recall must differ by this much to be another one.
RECALL_GAIN = 0.15

#: Fewer rows of rare classes tell nothing.
FEWEST_RARE_ROWS = 5

#: A loss that is not by this share below the best constant's has gained nothing …
GAIN = 0.03

#: … and a plain network's, whose best of many epochs is taken, by this one.
PLAIN_GAIN = 0.05

#: Predictions that lie less than this far apart (probabilities, or shares of the target's spread)
#: are one constant.
SAME_PREDICTIONS = 0.01
