"""What can be set for a scene. Operators, panels, messages, results and command lines are made from this list.

A new setting is a field here, a field of the same name in `GenerateScene`, and what it does in the pipeline.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import Any, Self, get_args, get_type_hints

from occscene.limits import MAX_GUIDANCE_SCALE, MAX_PROMPT_LENGTH, MAX_SEED, MAX_STEPS


@dataclass(frozen=True)
class Setting:
    """How a setting is named, described and limited wherever it can be set.

    Args:
        name: of its field, also in the contract.
        type: str, int, float or bool.
        default: None where the model has its own.
        label: on panels.
        description: in tooltips and in the help of command lines, without a full stop.
        minimum, maximum: of a number, both allowed.
        usual: the range of a number that a slider covers.
        first: what a slider begins with where the default is None.
        increment: of a number's arrows on panels.
        max_length: characters of a text.
        choices: value, label and description of each, where a text is one of a few.
        is_folder: whether a text names a folder.
        group: one switch, `use_GROUP` of a scene, leaves all settings of a group to the model.
        former_name: in scripts and files that are older than the contract's name.
        short_option: a second command-line option.
    """

    name: str
    type: type[Any]
    default: Any
    label: str
    description: str
    minimum: float | None = None
    maximum: float | None = None
    usual: tuple[float, float] | None = None
    first: Any = None
    increment: int = 1
    max_length: int | None = None
    choices: tuple[tuple[str, str, str], ...] = ()
    is_folder: bool = False
    group: str = ""
    former_name: str = ""
    short_option: str = ""

    @property
    def is_optional(self) -> bool:
        """Whether it can be left to the model."""
        return self.default is None

    @property
    def help(self) -> str:
        """The description, and what each of the choices means."""
        texts = "; ".join(f"{choice.lower()}: {text[0].lower()}{text[1:]}" for choice, _, text in self.choices)
        return f"{self.description}. {texts}" if texts else self.description

    def fault(self, value: Any) -> str:
        """What is wrong with a value, and what it must be; "" if it is right."""
        if value is None and self.is_optional:
            return ""
        if self.choices:
            known = [choice for choice, _, _ in self.choices]
            return "" if value in known else f"{self.name} is {value!r}; it must be {' or '.join(known)}"
        if self.max_length is not None and len(value) > self.max_length:
            return f"{self.name} has {len(value)} characters; the limit is {self.max_length}"
        low, high = self.minimum, self.maximum
        if low is None or high is None or low <= value <= high:  # false for nan
            return ""
        way_out = ", or absent for the model's own" if self.is_optional else ""
        return f"{self.name} is {_number(value)}; it must be {_number(low)} to {_number(high)}{way_out}"


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def setting(default: Any, label: str, description: str, **details: Any) -> Any:
    """A field of `Settings`; the arguments are those of `Setting`."""
    return field(default=default, metadata={"label": label, "description": description, **details})


@dataclass(frozen=True)
class Settings:
    """The words and numbers of a request, by the names of `GenerateScene`; None leaves a number to the model."""

    prompt: str = setting(
        "",
        "Prompt",
        "What the scene looks like, in words: kind of place, walls, floor, objects with their colors, light",
        max_length=MAX_PROMPT_LENGTH,
    )
    negative_prompt: str = setting(
        "", "Avoid", "What the scene must not look like, in words", max_length=MAX_PROMPT_LENGTH
    )
    seed: int = setting(
        0,
        "Seed",
        "Which of many possible variants: the same seed with the same settings gives the same views",
        minimum=0,
        maximum=MAX_SEED,
    )
    steps: int | None = setting(
        None,
        "Steps",
        "Denoising steps: more take longer and give finer views; twice the steps take twice the time",
        minimum=1,
        maximum=MAX_STEPS,
    )
    text_guidance_scale: float | None = setting(
        None,
        "To Prompt",
        "How closely the views follow the prompt. 1 is loose; higher is closer, with less variety and at some point "
        "too harsh colors",
        minimum=0.0,
        maximum=MAX_GUIDANCE_SCALE,
        usual=(1.0, 10.0),
        first=2.0,
        group="guidance",
        former_name="text_guidance",
    )
    occupancy_guidance_scale: float | None = setting(
        None,
        "To Blockout",
        "How closely the views follow the blockout. 1 is loose; higher keeps shapes more exactly where they stand",
        minimum=0.0,
        maximum=MAX_GUIDANCE_SCALE,
        usual=(1.0, 10.0),
        first=2.0,
        group="guidance",
        former_name="occupancy_guidance",
    )
    strength: float | None = setting(
        None,
        "Strength",
        "How much of the views that denoising begins at may change: 0 keeps them, 1 keeps nothing",
        minimum=0.0,
        maximum=1.0,
        usual=(0.0, 1.0),
        first=0.6,
    )
    without_prior: bool = setting(
        False,
        "Without Priors",
        "Boxes are shown as they are instead of with parts that make furniture of them, and text to scene begins from "
        "noise instead of from a furnished room",
        short_option="--no-prior",
    )
    quality: str = setting(
        "FULL",
        "Quality",
        "How much is done for the views",
        choices=(
            ("FULL", "Full", "Denoised views, and the occupancy that they show"),
            (
                "DRAFT",
                "Draft",
                "Views at once from shapes and words only, without denoising; the occupancy is the blockout's",
            ),
        ),
    )
    sun_elevation: float | None = setting(
        None,
        "Sun Height",
        "How high the sun stands, degrees above the horizon, whatever the prompt says of it",
        minimum=0.0,
        maximum=90.0,
        usual=(5.0, 70.0),
        first=40.0,
        group="sun",
    )
    sun_azimuth: float | None = setting(
        None,
        "Sun Direction",
        "Where the sun stands, degrees clockwise from the Y axis as seen from above",
        minimum=0.0,
        maximum=360.0,
        usual=(0.0, 360.0),
        first=135.0,
        group="sun",
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, float):  # messages and Blender hold float32: 2.6, not 2.5999999
                object.__setattr__(self, each.name, float(f"{value:.6g}"))

    @classmethod
    @cache
    def listed(cls) -> tuple[Setting, ...]:
        """The settings in order."""
        types = get_type_hints(cls)
        return tuple(
            Setting(each.name, (get_args(types[each.name]) or (types[each.name],))[0], each.default, **each.metadata)
            for each in fields(cls)
            if each.metadata
        )

    @classmethod
    def former_names(cls) -> dict[str, str]:
        """The names of today by the former ones."""
        return {each.former_name: each.name for each in cls.listed() if each.former_name}

    def check(self) -> None:
        """Refuses values outside of the limits.

        Raises:
            ValueError: names every setting that is wrong, its value and what it must be.
        """
        faults = [each.fault(getattr(self, each.name)) for each in self.listed()]
        if any(faults):
            raise ValueError("; ".join(filter(None, faults)))

    def to_json(self) -> dict[str, Any]:
        """All of them as the fields of a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Self:
        """Those of `to_json`, also by former names; what only a later version knows is dropped."""
        known = cls.former_names() | {each.name: each.name for each in cls.listed()}
        return cls(**{known[name]: value for name, value in row.items() if name in known})
