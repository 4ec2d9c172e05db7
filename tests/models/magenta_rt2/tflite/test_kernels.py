"""Every operator against LiteRT: one small network each, run by both on the same numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from models.magenta_rt2.tflite.kernels.call import UnknownOperatorError
from models.magenta_rt2.tflite.network import KERNELS, TfliteNetwork

pytest.importorskip("ai_edge_litert", reason="the extra 'magenta' has no build for this machine")
from ai_edge_litert import schema_py_generated as schema

from tests.models.magenta_rt2.tflite.litert import run_litert
from tests.models.magenta_rt2.tflite_models import Model

RANDOM: Final = np.random.default_rng(3)


def normal(*shape: int) -> NDArray[np.float32]:
    return RANDOM.standard_normal(shape).astype(np.float32)


def positive(*shape: int) -> NDArray[np.float32]:
    return np.abs(normal(*shape)) + np.float32(0.1)


def whole(*values: int) -> NDArray[np.int32]:
    return np.array(values, dtype=np.int32)


def truths(*shape: int) -> NDArray[np.bool_]:
    return RANDOM.random(shape) < 0.5


@dataclass
class Case:
    """One operator: inputs, of which those from `fixed` on are constants, and its options."""

    operator: str
    inputs: list[NDArray[Any]]
    fixed: int = 1
    options: tuple[str, dict[str, Any]] | None = None
    kinds: list[Any] = field(default_factory=lambda: [np.float32])
    note: str = ""
    shape: tuple[int, ...] = (1,)
    version: int = 1
    scales: int | None = None
    """Axis of the second input's scales, where that is in eight bits."""

    def __str__(self) -> str:
        return f"{self.operator} {self.note}".strip()


def case(operator: str, *inputs: NDArray[Any], **more: Any) -> Case:
    return Case(operator, list(inputs), **more)


def _reducer(operator: str, x: NDArray[Any], keep: bool, kind: Any = np.float32) -> Case:
    return case(
        operator,
        x,
        whole(-1, 1),
        options=("Reducer", {"keepDims": keep}),
        kinds=[kind],
        note=f"keep {keep}",
    )


UNARY = (
    *("ABS", "CEIL", "COS", "ELU", "EXP", "FLOOR", "HARD_SWISH", "LOGISTIC", "NEG", "RELU"),
    *("RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "ROUND", "SIGN", "SIN", "SQUARE", "TANH"),
    "ZEROS_LIKE",
)
BINARY = ["MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE"]
COMPARISONS = ["EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL"]
POOL = {"strideW": 2, "strideH": 1, "filterWidth": 3, "filterHeight": 2}
TRUTH, COUNT, LONG, COMPLEX = [np.bool_], [np.int32], [np.int64], [np.complex64]
SPECTRUM = (normal(2, 3) + 1j * normal(2, 3)).astype(np.complex64)

CASES: Final = [
    *(case(name, 3 * normal(2, 5)) for name in UNARY),
    *(case(name, positive(2, 5)) for name in ("LOG", "RSQRT", "SQRT")),
    *(case(name, normal(2, 3, 4), normal(3, 1), fixed=2) for name in BINARY),
    *(case(name, whole(1, 2, 3), whole(2, 2, 2), fixed=2, kinds=TRUTH) for name in COMPARISONS),
    *(
        case(
            name,
            normal(2, 3, 4),
            positive(3, 1),
            fixed=2,
            options=(name.title(), {"fusedActivationFunction": number}),
            note=f"fused {number}",
        )
        for name in ("ADD", "SUB", "MUL", "DIV")
        for number in (0, 1, 3)
    ),
    case(
        "DIV",
        whole(7, -7, 9),
        whole(2, 2, -4),
        fixed=2,
        options=("Div", {}),
        kinds=COUNT,
        note="whole",
    ),
    case("FLOOR_DIV", whole(7, -7, 9), whole(2, 2, -4), fixed=2, kinds=COUNT),
    case("FLOOR_MOD", whole(7, -7, 9), whole(2, 2, -4), fixed=2, kinds=COUNT),
    case("FLOOR_MOD", 5 * normal(9), np.full(1, 1.5, np.float32), fixed=2, note="real"),
    case("POW", positive(2, 3), normal(3), fixed=2),
    case("ATAN2", normal(2, 3), normal(2, 3), fixed=2),
    case("ADD_N", normal(3), normal(3), normal(3), fixed=3),
    case("LOGICAL_AND", truths(9), truths(9), fixed=2, kinds=TRUTH),
    case("LOGICAL_OR", truths(9), truths(9), fixed=2, kinds=TRUTH),
    case("LOGICAL_NOT", truths(9), kinds=TRUTH),
    case("BITWISE_XOR", whole(5, 9), whole(3, 8), fixed=2, kinds=COUNT),
    case("RIGHT_SHIFT", whole(50, -9), whole(3, 1), fixed=2, kinds=COUNT),
    case("CAST", 3 * normal(9), kinds=COUNT, note="to whole"),
    case("CAST", whole(1, 0, -2), note="to real"),
    case("CAST", whole(1, 0, -2), kinds=TRUTH, note="to truth"),
    case("CAST", truths(9), note="of truth"),
    case("DEQUANTIZE", normal(6).astype(np.float16)),
    case("GELU", normal(9), options=("Gelu", {"approximate": False}), note="exact"),
    case("GELU", normal(9), options=("Gelu", {"approximate": True}), note="tanh"),
    case("LEAKY_RELU", normal(9), options=("LeakyRelu", {"alpha": 0.3})),
    case("PRELU", normal(2, 3, 4), positive(1, 1, 4)),
    case("SELECT", truths(3), normal(3, 4), normal(3, 4), fixed=3, note="rows"),
    case("SELECT", truths(3, 4), normal(3, 4), normal(3, 4), fixed=3),
    case("SELECT_V2", truths(3, 1), normal(3, 4), normal(1), fixed=3),
    case("REAL", SPECTRUM),
    case("IMAG", SPECTRUM),
    case("COMPLEX_ABS", SPECTRUM),
    *(
        _reducer(name, normal(2, 3, 4), keep)
        for name in ("SUM", "MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD")
        for keep in (False, True)
    ),
    _reducer("SUM", whole(1, 2, 3, 4).reshape(1, 2, 2), False, np.int32),
    _reducer("REDUCE_ANY", truths(4, 2, 2), False, np.bool_),
    _reducer("REDUCE_ALL", truths(4, 2, 2), True, np.bool_),
    case("ARG_MAX", normal(3, 5), whole(-1), options=("ArgMax", {"outputType": 2}), kinds=COUNT),
    case("ARG_MIN", normal(3, 5), whole(0), options=("ArgMin", {"outputType": 4}), kinds=LONG),
    case(
        "ARG_MIN",
        np.array([[3, 1, 1, 1, 2]], np.float32),
        whole(1),
        options=("ArgMin", {"outputType": 2}),
        kinds=COUNT,
        note="ties",
    ),
    *(
        case(
            "CUMSUM",
            normal(3, 5),
            whole(1),
            options=("Cumsum", {"exclusive": exclusive, "reverse": back}),
            note=f"{exclusive} {back}",
        )
        for exclusive in (False, True)
        for back in (False, True)
    ),
    case(
        "TOPK_V2",
        np.array([[1, 5, 5, 2, 5], [3, 3, 0, 3, 1]], np.float32),
        whole(3),
        kinds=[np.float32, np.int32],
    ),
    case("SOFTMAX", normal(3, 5), options=("Softmax", {"beta": 1.0})),
    case("SOFTMAX", normal(3, 5), options=("Softmax", {"beta": 0.5}), note="half"),
    case("LOG_SOFTMAX", normal(3, 5)),
    case("L2_NORMALIZATION", normal(3, 5), options=("L2Norm", {})),
    case("RESHAPE", normal(3, 4), whole(2, -1), options=("Reshape", {"newShape": [2, 6]})),
    case("RESHAPE", normal(3, 4), options=("Reshape", {"newShape": [2, 6]}), note="by option"),
    case("SQUEEZE", normal(1, 3, 1), options=("Squeeze", {"squeezeDims": [0]})),
    case("SQUEEZE", normal(1, 3, 1), options=("Squeeze", {"squeezeDims": []}), note="all"),
    case("EXPAND_DIMS", normal(3, 4), whole(-1)),
    case("TRANSPOSE", normal(2, 3, 4), whole(2, 0, 1)),
    case(
        "CONCATENATION",
        normal(2, 3),
        normal(2, 4),
        fixed=2,
        options=("Concatenation", {"axis": -1}),
    ),
    case(
        "SPLIT",
        whole(1),
        normal(2, 6),
        fixed=2,
        options=("Split", {"numSplits": 3}),
        kinds=[np.float32] * 3,
    ),
    case(
        "SPLIT_V",
        normal(2, 6),
        whole(1, -1, 2),
        whole(1),
        options=("SplitV", {"numSplits": 3}),
        kinds=[np.float32] * 3,
    ),
    case(
        "PACK", normal(2, 3), normal(2, 3), fixed=2, options=("Pack", {"valuesCount": 2, "axis": 1})
    ),
    case("UNPACK", normal(2, 3), options=("Unpack", {"num": 3, "axis": 1}), kinds=[np.float32] * 3),
    case("SLICE", normal(4, 5), whole(1, 2), whole(2, -1), shape=(2, 3)),
    *(
        case(
            "STRIDED_SLICE",
            normal(4, 5, 6),
            begin,
            end,
            stride,
            options=("StridedSlice", masks),
            note=str(masks),
        )
        for begin, end, stride, masks in (
            (whole(1, 0, -1), whole(3, 5, 0), whole(1, 2, -2), {}),
            (whole(1, 0, 2), whole(3, 5, 6), whole(1, 1, 1), {"beginMask": 1, "endMask": 2}),
            (whole(1, -1, 2), whole(2, 0, 6), whole(1, 1, 1), {"shrinkAxisMask": 3}),
            (
                whole(0, 0, 2),
                whole(0, 0, 3),
                whole(1, 1, 1),
                {"newAxisMask": 1, "ellipsisMask": 2, "shrinkAxisMask": 4},
            ),
        )
    ),
    case("PAD", normal(2, 3), whole(1, 0, 2, 3).reshape(2, 2)),
    case("PADV2", normal(2, 3), whole(1, 0, 2, 3).reshape(2, 2), np.array([7], np.float32)),
    case(
        "MIRROR_PAD",
        normal(3, 4),
        whole(1, 2, 2, 0).reshape(2, 2),
        options=("MirrorPad", {"mode": 0}),
    ),
    case(
        "MIRROR_PAD",
        normal(3, 4),
        whole(1, 2, 2, 0).reshape(2, 2),
        options=("MirrorPad", {"mode": 1}),
        note="symmetric",
    ),
    case("TILE", normal(2, 3), whole(2, 3)),
    case("BROADCAST_TO", normal(3, 1), whole(2, 3, 4), version=2),
    case("BROADCAST_ARGS", whole(3, 1), whole(2, 1, 4), fixed=2, kinds=COUNT),
    case("FILL", whole(2, 3), np.array(4, np.float32), fixed=2),
    case(
        "RANGE",
        whole(2).reshape(()),
        whole(11).reshape(()),
        whole(3).reshape(()),
        fixed=3,
        options=("Range", {}),
        kinds=COUNT,
    ),
    case("SHAPE", normal(2, 3), options=("Shape", {"outType": 2}), kinds=COUNT),
    case("RANK", normal(2, 3), kinds=COUNT),
    case("GATHER", normal(5, 3), whole(4, 0, 4), fixed=2, options=("Gather", {"axis": 0})),
    case(
        "GATHER",
        normal(2, 5, 3),
        whole(4, 0, 1, 2).reshape(2, 2),
        fixed=2,
        options=("Gather", {"axis": 1}),
        note="matrix",
    ),
    case(
        "GATHER",
        normal(2, 5, 3),
        whole(4, 0, 1, 2).reshape(2, 2),
        fixed=2,
        options=("Gather", {"axis": 1, "batchDims": 1}),
        note="batch",
    ),
    case("GATHER_ND", normal(4, 5, 3), whole(3, 1, 0, 4).reshape(2, 2), fixed=2),
    case("SCATTER_ND", whole(3, 1, 3).reshape(3, 1), normal(3, 2), whole(5, 2), fixed=2),
    case("EMBEDDING_LOOKUP", whole(3, 1, 3), normal(4, 6)),
    case(
        "ONE_HOT",
        whole(3, 0, -1),
        whole(4).reshape(()),
        np.array(2, np.float32),
        np.array(-1, np.float32),
        options=("OneHot", {"axis": -1}),
    ),
    case("REVERSE_V2", normal(3, 4), whole(1)),
    case("DYNAMIC_UPDATE_SLICE", normal(4, 5), normal(2, 2), whole(3, 1), fixed=3),
    case("SPACE_TO_DEPTH", normal(1, 4, 6, 2), options=("SpaceToDepth", {"blockSize": 2})),
    case("DEPTH_TO_SPACE", normal(1, 2, 3, 8), options=("DepthToSpace", {"blockSize": 2})),
    case("SPACE_TO_BATCH_ND", normal(2, 4, 5, 2), whole(2, 3), whole(0, 0, 1, 0).reshape(2, 2)),
    case("BATCH_TO_SPACE_ND", normal(12, 2, 2, 2), whole(2, 3), whole(0, 0, 1, 0).reshape(2, 2)),
    case("WHERE", np.array([[True, False], [True, True]]), kinds=LONG),
    case("BITCAST", normal(4), kinds=COUNT),
    *(
        case(
            "FULLY_CONNECTED",
            normal(2, 3, 8),
            normal(5, 8),
            normal(5),
            options=("FullyConnected", {"keepNumDims": keep, "fusedActivationFunction": fused}),
            note=f"{keep} {fused}",
        )
        for keep, fused in ((False, 0), (True, 1))
    ),
    *(
        case(
            "BATCH_MATMUL",
            x,
            y,
            fixed=2,
            options=("BatchMatMul", {"adjX": first, "adjY": second}),
            note=f"{first} {second}",
        )
        for x, y, first, second in (
            (normal(2, 3, 4), normal(2, 4, 5), False, False),
            (normal(2, 4, 3), normal(1, 5, 4), True, True),
        )
    ),
    *(
        case(
            "CONV_2D",
            normal(1, 9, 8, 4),
            normal(6, 3, 2, 4),
            normal(6),
            options=(
                "Conv2D",
                {
                    "padding": padding,
                    "strideW": 2,
                    "strideH": 1,
                    "dilationWFactor": 1,
                    "dilationHFactor": wide,
                },
            ),
            note=f"{padding} {wide}",
        )
        for padding, wide in ((0, 1), (1, 1), (0, 2))
    ),
    *(
        case(
            "DEPTHWISE_CONV_2D",
            normal(1, 9, 8, 4),
            normal(1, 3, 2, 8),
            normal(8),
            options=(
                "DepthwiseConv2D",
                {
                    "padding": padding,
                    "strideW": 2,
                    "strideH": 2,
                    "depthMultiplier": 2,
                    "fusedActivationFunction": 1,
                },
            ),
            note=str(padding),
        )
        for padding in (0, 1)
    ),
    *(
        case(
            "TRANSPOSE_CONV",
            whole(1, *size, 3),
            normal(3, 3, 4, 2),
            normal(1, 4, 5, 2),
            fixed=3,
            options=("TransposeConv", {"padding": padding, "strideW": 2, "strideH": 2}),
            note=str(padding),
        )
        for padding, size in ((0, (8, 10)), (1, (9, 12)))
    ),
    *(
        case(
            name,
            normal(1, 7, 8, 3),
            options=("Pool2D", {"padding": padding, **POOL}),
            note=str(padding),
        )
        for name in ("AVERAGE_POOL_2D", "MAX_POOL_2D")
        for padding in (0, 1)
    ),
    *(
        case(
            "FULLY_CONNECTED",
            normal(3, 32),
            normal(5, 32),
            normal(5),
            options=("FullyConnected", {}),
            version=9,
            scales=scales,
            note=f"int8 {scales}",
        )
        for scales in (0, -1)
    ),
    *(
        case(
            "CONV_2D",
            normal(2, 9, 8, 4),
            normal(6, 3, 2, 4),
            normal(6),
            options=(
                "Conv2D",
                {
                    "padding": padding,
                    "strideW": 2,
                    "strideH": 1,
                    "dilationWFactor": 1,
                    "dilationHFactor": 1,
                },
            ),
            version=5,
            scales=0,
            shape=(1, 1, 1, 1),
            note=f"int8 {padding}",
        )
        for padding in (0, 1)
    ),
    case(
        "DEPTHWISE_CONV_2D",
        normal(2, 9, 8, 4),
        normal(1, 3, 2, 8),
        normal(8),
        options=(
            "DepthwiseConv2D",
            {
                "strideW": 1,
                "strideH": 1,
                "depthMultiplier": 2,
                "dilationWFactor": 1,
                "dilationHFactor": 1,
            },
        ),
        version=6,
        scales=3,
        shape=(1, 1, 1, 1),
        note="int8",
    ),
    case(
        "BATCH_MATMUL",
        normal(2, 3, 32),
        normal(2, 32, 5),
        options=("BatchMatMul", {}),
        version=4,
        scales=-1,
        shape=(1, 1, 1),
        note="int8",
    ),
    case(
        "EMBEDDING_LOOKUP",
        whole(3, 1, 3),
        normal(4, 6),
        version=3,
        scales=-1,
        shape=(1, 1),
        note="int8",
    ),
    case("RFFT2D", normal(3, 1, 16), whole(1, 16), options=("Rfft2d", {}), kinds=COMPLEX),
]


def build(chosen: Case, path: Path) -> list[NDArray[Any]]:
    """Write the network of a case; returns the values of its inputs."""
    model = Model()
    given = [
        model.quantized(values, chosen.scales)
        if number == 1 and chosen.scales is not None
        else model.tensor(values.shape, None if number < chosen.fixed else values, values.dtype)
        for number, values in enumerate(chosen.inputs)
    ]
    outputs = [model.tensor(chosen.shape, kind=kind) for kind in chosen.kinds]
    kind, options = 0, None
    if chosen.options is not None:
        name, fields = chosen.options
        options = getattr(schema, f"{name}OptionsT")()
        kind = getattr(schema.BuiltinOptions, f"{name}Options")
        for key, value in fields.items():
            assert hasattr(options, key), key
            setattr(options, key, value)
    code = getattr(schema.BuiltinOperator, chosen.operator)
    model.run(code, given, outputs, kind, options, chosen.version)
    model.write(path, given[: chosen.fixed], outputs)
    return chosen.inputs[: chosen.fixed]


@pytest.mark.parametrize("chosen", CASES, ids=str)
def test_an_operator_is_litert_s(chosen: Case, tmp_path: Path) -> None:
    path = tmp_path / "one.tflite"
    inputs = build(chosen, path)
    expected = run_litert(path, inputs)
    found = TfliteNetwork(path).run(inputs)
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def test_every_operator_is_tried() -> None:
    assert {chosen.operator for chosen in CASES} == set(KERNELS)


def test_an_operator_that_is_not_known_is_named_when_the_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "one.tflite"
    build(case("UNIQUE", whole(1, 2, 1), options=("Unique", {}), kinds=[np.int32, np.int32]), path)
    with pytest.raises(UnknownOperatorError, match=r"^UNIQUE$"):
        TfliteNetwork(path)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (
            case("ADD", normal(2, 32), normal(2, 32), options=("Add", {}), scales=-1),
            "ADD with eight",
        ),
        (
            case(
                "ADD",
                normal(2),
                normal(2),
                fixed=2,
                options=("Add", {"fusedActivationFunction": 5}),
            ),
            "ADD with the fused activation 5",
        ),
        (
            case(
                "FULLY_CONNECTED",
                normal(2, 8),
                normal(4, 8),
                normal(4),
                options=("FullyConnected", {"weightsFormat": 1}),
            ),
            "FULLY_CONNECTED with shuffled",
        ),
    ],
    ids=str,
)
def test_a_use_that_is_not_known_is_named(chosen: Case, words: str, tmp_path: Path) -> None:
    path = tmp_path / "one.tflite"
    inputs = build(chosen, path)
    with pytest.raises(UnknownOperatorError, match=words):
        TfliteNetwork(path).run(inputs)
