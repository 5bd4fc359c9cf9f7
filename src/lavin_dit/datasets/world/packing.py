"""From a scene and its motion to the renderer's arrays."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32

from lavin_dit.datasets.world.arrays import (
    CameraLayout,
    EnvironmentLayout,
    MaterialLayout,
    SceneArrays,
)
from lavin_dit.datasets.world.classes import CLASS_NAMES
from lavin_dit.datasets.world.extents import enclosing_sphere
from lavin_dit.datasets.world.patterns import PATTERN_NUMBERS
from lavin_dit.datasets.world.physics import Trajectory, enclosing_planes
from lavin_dit.datasets.world.primitives import PRIMITIVE_NUMBERS, bounding_radius
from lavin_dit.datasets.world.rotations import looking_at, matrix_of
from lavin_dit.datasets.world.spec import Environment, Material, Part, SceneSpec
from lavin_dit.vision.geometry import Size

Photos = Float32[np.ndarray, "photos side side 3"]

_ROUNDING = 1.0005  # bounding spheres are this much larger, to be safe in single precision


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedScene:
    """A scene as the renderer wants it, and what its parts are.

    Attributes:
        arrays: The renderer's input.
        part_instances: Number of the thing that each part belongs to, from 1 on; 0 for stuff.
        part_classes: Class number of each part.
        instance_classes: Class number of each thing: of thing 1, of thing 2, and so on.
        parts: The parts themselves, planes excepted, in the order of the last parts.
        num_planes: How many planes come before them.
    """

    arrays: SceneArrays
    part_instances: Int32[np.ndarray, " parts"]
    part_classes: Int32[np.ndarray, " parts"]
    instance_classes: Int32[np.ndarray, " things"]
    parts: tuple[Part, ...]
    num_planes: int


class _Packer:
    """Lists that grow part by part."""

    def __init__(self, num_moments: int) -> None:
        self.num_moments = num_moments
        self.kinds: list[int] = []
        self.geometry: list[list[float]] = []
        self.part_materials: list[int] = []
        self.part_instances: list[int] = []
        self.part_classes: list[int] = []
        self.instance_classes: list[int] = []
        self.starts: list[int] = []
        self.poses: list[Float64[np.ndarray, "moments 12"]] = []
        self.bounds: list[Float64[np.ndarray, "moments 4"]] = []
        self.materials: list[Float32[np.ndarray, "17"]] = []
        self.parts: list[Part] = []

    def add_material(self, material: Material) -> int:
        """Add a material and return its row."""
        self.materials.append(_material_row(material))
        return len(self.materials) - 1

    def add_plane(
        self,
        material: Material,
        class_name: str,
        rotation: Float64[np.ndarray, "3 3"],
        place: Float64[np.ndarray, "3"],
    ) -> None:
        """Add a floor, wall or ceiling as an object of its own."""
        self.starts.append(len(self.kinds))
        self.kinds.append(PRIMITIVE_NUMBERS["plane"])
        self.geometry.append([1.0] * 3 + [2.0] * 2 + [0.0])
        self.part_materials.append(self.add_material(material))
        self.part_instances.append(0)
        self.part_classes.append(CLASS_NAMES.index(class_name))
        pose = np.concatenate([rotation.ravel(), place])
        self.poses.append(np.broadcast_to(pose, (self.num_moments, 12)))
        self.bounds.append(np.broadcast_to([0.0, 0.0, 0.0, -1.0], (self.num_moments, 4)))

    def add_thing(
        self,
        class_name: str,
        parts: tuple[Part, ...],
        materials: tuple[Material, ...],
        bounds: Float64[np.ndarray, "moments 4"],
    ) -> None:
        """Add an object or a person; its poses are still to come."""
        first = len(self.materials)
        for material in materials:
            self.add_material(material)
        self.instance_classes.append(CLASS_NAMES.index(class_name))
        self.starts.append(len(self.kinds))
        for part in parts:
            radius = bounding_radius(part.kind, part.size) * _ROUNDING
            self.kinds.append(PRIMITIVE_NUMBERS[part.kind])
            self.geometry.append([*part.size, *part.powers, radius])
            self.part_materials.append(first + part.slot)
            self.part_instances.append(len(self.instance_classes))
            self.part_classes.append(self.instance_classes[-1])
            self.parts.append(part)
        self.bounds.append(bounds)

    def add_poses(
        self,
        rotations: Float64[np.ndarray, "moments parts 3 3"],
        places: Float64[np.ndarray, "moments parts 3"],
    ) -> None:
        """Add the poses of the parts of the last thing."""
        flat = rotations.reshape(*rotations.shape[:2], 9)
        self.poses += list(np.moveaxis(np.concatenate([flat, places], axis=-1), 1, 0))


def pack(
    spec: SceneSpec, trajectory: Trajectory, *, size: Size, photos: Photos | None = None
) -> PackedScene:
    """Write a scene into the renderer's arrays.

    Args:
        spec: The scene.
        trajectory: Its motion.
        size: Height and width of the picture.
        photos: What the pattern "photo" shows, in linear colours; grey where None.

    Returns:
        The scene for the renderer.
    """
    packer = _Packer(spec.num_frames + 2)
    _add_stuff(packer, spec)
    for index, thing in enumerate(spec.objects):
        rotations, places = trajectory.rotations[:, index], trajectory.places[:, index]
        centre, radius = enclosing_sphere(thing.parts)
        radii = np.full((packer.num_moments, 1), radius * _ROUNDING)
        bounds = np.concatenate([places + rotations @ centre, radii], axis=1)
        packer.add_thing(thing.class_name, thing.parts, thing.materials, bounds)
        turns = np.array([matrix_of(part.rotation) for part in thing.parts])
        offsets = np.array([part.offset for part in thing.parts])
        packer.add_poses(
            rotations[:, None] @ turns, places[:, None] + offsets @ np.swapaxes(rotations, 1, 2)
        )
    for figure, motion in zip(spec.figures, trajectory.figures, strict=True):
        radii = np.array([bounding_radius(part.kind, part.size) for part in motion.parts])
        bounds = _moving_bounds(motion.places, radii)
        packer.add_thing("person", motion.parts, figure.materials, bounds)
        packer.add_poses(motion.rotations, motion.places)
    if photos is None:
        photos = np.full((1, 2, 2, 3), 0.5, dtype=np.float32)
    return _packed(packer, spec, size=size, photos=photos)


def _add_stuff(packer: _Packer, spec: SceneSpec) -> None:
    """Floor, walls and ceiling."""
    materials, names = [spec.floor], ["floor"]
    if spec.room is not None:
        materials += [*spec.room.walls, spec.room.ceiling]
        names += ["wall"] * len(spec.room.walls) + ["ceiling"]
    planes = enclosing_planes(spec)
    for material, name, (rotation, place) in zip(materials, names, planes, strict=True):
        packer.add_plane(material, name, rotation, place)


def _moving_bounds(
    places: Float64[np.ndarray, "moments parts 3"], radii: Float64[np.ndarray, " parts"]
) -> Float64[np.ndarray, "moments 4"]:
    """A sphere around spheres, at each moment."""
    centre = (places.min(axis=1) + places.max(axis=1)) / 2
    distance = np.linalg.norm(places - centre[:, None], axis=-1)
    radius = (distance + radii).max(axis=1, keepdims=True) * _ROUNDING
    return np.concatenate([centre, radius], axis=1)


def _packed(packer: _Packer, spec: SceneSpec, *, size: Size, photos: Photos) -> PackedScene:
    """Turn the lists into arrays."""
    lamps = [[*lamp.position, *lamp.colour, lamp.radius_m] for lamp in spec.environment.lamps]
    arrays = SceneArrays(
        kinds=np.array(packer.kinds, dtype=np.int32),
        geometry=np.array(packer.geometry, dtype=np.float32),
        part_materials=np.array(packer.part_materials, dtype=np.int32),
        starts=np.array([*packer.starts, len(packer.kinds)], dtype=np.int32),
        poses=np.ascontiguousarray(np.stack(packer.poses, axis=1), dtype=np.float32),
        bounds=np.ascontiguousarray(np.stack(packer.bounds, axis=1), dtype=np.float32),
        materials=np.stack(packer.materials),
        photos=np.ascontiguousarray(photos),
        environment=_environment_row(spec.environment),
        lights=np.array(lamps, dtype=np.float32).reshape(-1, 7),
        cameras=camera_rows(spec, size=size).astype(np.float32),
    )
    return PackedScene(
        arrays=arrays,
        part_instances=np.array(packer.part_instances, dtype=np.int32),
        part_classes=np.array(packer.part_classes, dtype=np.int32),
        instance_classes=np.array(packer.instance_classes, dtype=np.int32),
        parts=tuple(packer.parts),
        num_planes=len(packer.kinds) - len(packer.parts),
    )


def _material_row(material: Material) -> Float32[np.ndarray, "17"]:
    """A material as ``MaterialLayout`` says."""
    row = np.zeros(MaterialLayout.WIDTH, dtype=np.float32)
    row[MaterialLayout.PATTERN] = PATTERN_NUMBERS[material.pattern]
    row[MaterialLayout.FREQUENCY] = material.frequency_per_m
    row[MaterialLayout.SEED] = material.seed
    row[MaterialLayout.FIRST : MaterialLayout.FIRST + 9] = np.array(material.colours).ravel()
    row[MaterialLayout.ROUGHNESS] = material.roughness
    row[MaterialLayout.SHINE] = material.shine
    row[MaterialLayout.MIRROR] = material.mirror
    row[MaterialLayout.BUMP] = material.bump
    row[MaterialLayout.PHOTO] = material.photo
    return row


def _environment_row(around: Environment) -> Float32[np.ndarray, "25"]:
    """An environment as ``EnvironmentLayout`` says."""
    row = np.zeros(EnvironmentLayout.WIDTH, dtype=np.float32)
    row[EnvironmentLayout.SUN_DIRECTION :][:3] = around.sun_direction
    row[EnvironmentLayout.SUN_COLOUR :][:3] = around.sun_colour
    row[EnvironmentLayout.SUN_SOFTNESS] = around.sun_softness
    row[EnvironmentLayout.ZENITH :][:3] = around.zenith
    row[EnvironmentLayout.HORIZON :][:3] = around.horizon
    row[EnvironmentLayout.GROUND :][:3] = around.ground
    row[EnvironmentLayout.AMBIENT] = around.ambient
    row[EnvironmentLayout.CLOUDS] = around.clouds
    row[EnvironmentLayout.CLOUD_FREQUENCY] = around.cloud_frequency
    row[EnvironmentLayout.SKY_SEED] = around.sky_seed
    row[EnvironmentLayout.FOG_PER_M] = around.fog_per_m
    row[EnvironmentLayout.FOG :][:3] = around.fog
    row[EnvironmentLayout.STARS] = around.stars
    return row


def camera_rows(spec: SceneSpec, *, size: Size) -> Float64[np.ndarray, "moments 15"]:
    """The camera at each moment, as ``CameraLayout`` says.

    Args:
        spec: The scene.
        size: Height and width of the picture.

    Returns:
        One row per moment, one frame before the clip to one after it. The path goes on straight
        beyond the clip.
    """
    path = spec.camera
    shorter = min(size.height, size.width)
    focal_px = 0.5 * shorter / np.tan(np.radians(path.view_deg) / 2)
    shares = np.linspace(-0.5, 0.5, spec.num_frames) if spec.num_frames > 1 else np.zeros(1)
    step = 1 / (spec.num_frames - 1) if spec.num_frames > 1 else 0.1
    shares = np.concatenate([[shares[0] - step], shares, [shares[-1] + step]]) + 0.5
    rows = np.empty((len(shares), CameraLayout.WIDTH))
    for row, share in zip(rows, shares, strict=True):
        eye, target = (
            np.array(start) * (1 - share) + np.array(end) * share
            for start, end in (path.eye, path.target)
        )
        roll = path.roll_rad[0] * (1 - share) + path.roll_rad[1] * share
        row[:9] = looking_at(eye, target, roll_rad=roll).ravel()
        row[9:12] = eye
        row[12:] = focal_px, size.width / 2, size.height / 2
    return rows
