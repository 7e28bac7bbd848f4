"""Settings of the next generation."""

# mypy: disable-error-code="misc, valid-type"
from __future__ import annotations

from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from occscene.limits import MAX_IMAGE_SIDE, MAX_PROMPT_LENGTH, MAX_STEPS, MIN_IMAGE_SIDE

CAMERA_CHOICES = (
    ("ALL", "All", "Every camera of the scene"),
    ("SELECTED", "Selected", "The selected cameras"),
    ("ACTIVE", "Active", "The scene's active camera"),
    ("ANIMATION", "Frames", "The active camera at every Nth frame of the scene's animation"),
)
QUALITIES = (
    ("FULL", "Full", "Denoised views, and the occupancy that they show"),
    ("DRAFT", "Draft", "Views at once from shapes and words alone, without denoising; the occupancy is the blockout's"),
)
SEED_MODES = (
    ("FIXED", "Fixed", "Keep the seed: the same settings give the same views again"),
    ("RANDOM", "Random", "Draw a new seed each time; the one that was used stays visible"),
    ("NEXT", "Next", "Count the seed up after each generation"),
)
MAX_GUIDANCE = 30.0
MAX_SEED = 2**31 - 1


class GenerationSettings:
    """What the Generate panel sets."""

    prompt: StringProperty(
        name="Prompt",
        description="What the scene looks like, in words: kind of place, walls, floor, things with their colors, light",
        maxlen=MAX_PROMPT_LENGTH,
    )
    style: StringProperty(
        name="Style",
        description="Words that are added to the prompt; keep those that you like as a preset",
        maxlen=MAX_PROMPT_LENGTH,
    )
    negative_prompt: StringProperty(
        name="Avoid", description="What the scene must not look like, in words", maxlen=MAX_PROMPT_LENGTH
    )
    seed: IntProperty(
        name="Seed",
        description="Which of many possible variants: the same seed with the same settings gives the same views",
        min=0,
    )
    seed_mode: EnumProperty(name="Seed Mode", description="What becomes of the seed", items=SEED_MODES)
    quality: EnumProperty(name="Quality", description="How much is done for the views", items=QUALITIES)
    steps: IntProperty(
        name="Steps",
        description="Denoising steps: more take longer and give finer views; twice the steps take twice the time. "
        "0 leaves it to the model",
        min=0,
        max=MAX_STEPS,
    )
    use_guidance: BoolProperty(
        name="Adherence",
        description="Set how closely prompt and blockout are followed, instead of leaving it to the model",
    )
    text_guidance: FloatProperty(
        name="To Prompt",
        description="How closely the views follow the prompt. 1 is loose; higher is closer, with less variety and at "
        "some point too harsh colors",
        default=2.0,
        max=MAX_GUIDANCE,
        soft_min=1.0,
        soft_max=10.0,
        min=0.0,
    )
    occupancy_guidance: FloatProperty(
        name="To Blockout",
        description="How closely the views follow the blockout. 1 is loose; higher keeps shapes more exactly where "
        "they stand",
        default=2.0,
        min=0.0,
        max=MAX_GUIDANCE,
        soft_min=1.0,
        soft_max=10.0,
    )
    without_prior: BoolProperty(
        name="Without Priors",
        description="Boxes are shown as they are instead of with parts that make furniture of them, and text to scene "
        "begins from noise instead of from a furnished room",
    )
    cameras: EnumProperty(name="Cameras", description="One view is made for each", items=CAMERA_CHOICES)
    frame_step: IntProperty(
        name="Every", description="Frames from one view to the next", default=10, min=1, soft_max=250
    )
    image_size: IntProperty(
        name="Image Size",
        description="Pixels along the longer side; the shape is the render's",
        default=256,
        min=MIN_IMAGE_SIDE,
        max=MAX_IMAGE_SIDE,
        step=64,
    )
    use_blockout: BoolProperty(
        name="Start from the Blockout",
        description="Send the tagged objects too, as what is already known of the scene",
    )
    redraw_as: StringProperty(
        name="As",
        description="Redraw: the kind of thing that the selected objects become, for example armchair; empty keeps "
        "what they are",
        maxlen=100,
    )
