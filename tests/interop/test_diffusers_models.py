import dataclasses
import inspect

import pytest
import torch

from lavin_dit.interop.diffusers import JDiTModel, STVAEModel
from lavin_dit.jdit.config import JDiTConfig
from lavin_dit.jdit.model import JDiT
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.weights.store import load_model, save_model
from random_networks import latents, random_jdit, random_st_vae

MODELS = [
    pytest.param(JDiTModel, JDiT, JDiTConfig, random_jdit, id="jdit"),
    pytest.param(STVAEModel, STVAE, STVAEConfig, random_st_vae, id="st_vae"),
]


def run(model) -> torch.Tensor:
    """What a network computes from fixed inputs."""
    if isinstance(model, STVAE):
        return model.decode(model.encode(latents(1, 3, 5, 16, 24)).mean)
    return model(latents(2, 16, 1, 4, 6), torch.tensor([0.25, 0.75]), latents(2, 16, 3, 4, 6))


def assert_equal_weights(first: torch.nn.Module, second: torch.nn.Module) -> None:
    first_state, second_state = first.state_dict(), second.state_dict()
    assert first_state.keys() == second_state.keys()
    for name, tensor in first_state.items():
        torch.testing.assert_close(second_state[name], tensor, rtol=0, atol=0, msg=name)


@pytest.mark.parametrize(("hub", "core_class", "config_class", "make"), MODELS)
class TestBoth:
    def test_parameters_are_the_fields_of_the_core_configuration(
        self, hub, core_class, config_class, make
    ):
        parameters = list(inspect.signature(hub.__init__).parameters)[1:]
        assert parameters == [field.name for field in dataclasses.fields(config_class)]

    def test_is_the_core_network_with_the_same_keys(self, hub, core_class, config_class, make):
        core = make()
        model = hub.from_core(core)
        assert isinstance(model, core_class)
        assert list(model.state_dict()) == list(core.state_dict())
        assert model.config == core.config
        assert not model.training
        torch.testing.assert_close(run(model), run(core), rtol=0, atol=0)

    def test_conversion_shares_the_parameters_both_ways(self, hub, core_class, config_class, make):
        core = make()
        frozen = next(iter(core.parameters())).requires_grad_(False)
        core.gradient_checkpointing = True
        model = hub.from_core(core.train())
        back = model.to_core()
        assert type(back) is core_class
        for other in (model, back):
            assert all(a is b for a, b in zip(other.parameters(), core.parameters(), strict=True))
            assert other.training
            assert other.gradient_checkpointing
        assert not frozen.requires_grad
        assert all(parameter.requires_grad for parameter in list(core.parameters())[1:])

    def test_another_network_is_refused(self, hub, core_class, config_class, make):
        with pytest.raises(TypeError, match=f"{hub.__name__} is made from a {core_class.__name__}"):
            hub.from_core(torch.nn.Linear(2, 2))

    def test_saves_and_loads_bit_for_bit(self, hub, core_class, config_class, make, tmp_path):
        model = hub.from_core(make())
        model.save_pretrained(tmp_path)
        again = hub.from_pretrained(tmp_path)
        assert again.config == model.config
        assert all(type(value) is not list for value in vars_of(again.config).values())
        assert_equal_weights(model, again)
        # Memory-mapped weights lie at odd addresses, where other kernels round differently.
        for parameter in again.parameters():
            parameter.data = parameter.data.clone()
        torch.testing.assert_close(run(again), run(model), rtol=0, atol=0)

    def test_saves_and_loads_shards(self, hub, core_class, config_class, make, tmp_path):
        model = hub.from_core(make())
        model.save_pretrained(tmp_path, max_shard_size="400KB")
        assert len(list(tmp_path.glob("*-of-*.safetensors"))) > 1
        assert_equal_weights(model, hub.from_pretrained(tmp_path))

    def test_loads_in_another_precision(self, hub, core_class, config_class, make, tmp_path):
        model = hub.from_core(make())
        model.save_pretrained(tmp_path)
        again = hub.from_pretrained(tmp_path, dtype=torch.bfloat16)
        assert {parameter.dtype for parameter in again.parameters()} == {torch.bfloat16}
        assert torch.get_default_dtype() == torch.float32

    def test_reads_what_the_core_wrote_and_the_other_way_round(
        self, hub, core_class, config_class, make, tmp_path
    ):
        core = make()
        save_model(core, core.config, tmp_path / "core")
        model = hub.from_core_checkpoint(tmp_path / "core")
        assert_equal_weights(core, model)
        model.save_core_checkpoint(tmp_path / "back")
        assert_equal_weights(core, load_model(core_class, config_class, tmp_path / "back"))

    def test_is_built_from_either_configuration(
        self, hub, core_class, config_class, make, tmp_path
    ):
        model = hub.from_core(make())
        model.save_config(tmp_path)
        for config in (model.config, hub.load_config(tmp_path)):
            assert hub.from_config(config).config == model.config
        with pytest.raises(ValueError, match="latent_channels"):
            hub.from_config(hub.load_config(tmp_path) | {"latent_channels": 0})

    def test_gradient_checkpointing_changes_no_gradient(self, hub, core_class, config_class, make):
        model = hub.from_core(make()).train()
        gradients = []
        for switch in (model.disable_gradient_checkpointing, model.enable_gradient_checkpointing):
            switch()
            model.zero_grad()
            run(model).square().mean().backward()
            # The last block's condition stream is not used, so some weights have no gradient.
            gradients.append(
                {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
            )
        assert model.gradient_checkpointing
        assert model.is_gradient_checkpointing
        torch.testing.assert_close(gradients[1], gradients[0])
        with pytest.raises(ValueError, match="leave it out"):
            model.enable_gradient_checkpointing(lambda *_: None)

    def test_no_call_misses_its_weights_when_groups_live_on_disk(
        self, hub, core_class, config_class, make, tmp_path
    ):
        model = hub.from_core(make()).requires_grad_(False)
        expected = run(model)
        model.enable_group_offload(
            onload_device=torch.device("cpu"),
            offload_device=torch.device("cpu"),
            num_blocks_per_group=1,
            offload_to_disk_path=str(tmp_path),
        )
        for parameter in model.parameters():
            parameter.fill_(torch.nan)  # what a hook does not load shows
        torch.testing.assert_close(run(model), expected)

    def test_offloading_leaf_by_leaf_is_refused(self, hub, core_class, config_class, make):
        with pytest.raises(ValueError, match="use 'block_level'"):
            hub.from_core(make()).enable_group_offload(
                onload_device=torch.device("cpu"), offload_type="leaf_level"
            )


def vars_of(config) -> dict:
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}


class TestJDiT:
    def test_context_cache_passes_through_forward(self):
        core = random_jdit("causal")
        model = JDiTModel.from_core(core)
        condition, noise, time = latents(1, 16, 3, 4, 6), latents(1, 16, 1, 4, 6), torch.ones(1) / 3
        calls = []
        model.register_forward_pre_hook(
            lambda _module, _inputs, settings: calls.append(settings["entry"]), with_kwargs=True
        )
        cache = model.extend_context(None, condition)
        expected = core.denoise(noise, time, core.extend_context(None, condition))
        torch.testing.assert_close(model.denoise(noise, time, cache), expected, rtol=0, atol=0)
        assert calls == ["extend_context", "denoise"]

    def test_weights_wait_in_8_bits(self):
        core = random_jdit()
        model = JDiTModel.from_core(core)
        expected = run(core)
        model.enable_layerwise_casting(
            storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32
        )
        stored = {parameter.dtype for parameter in model.parameters()}
        assert stored == {torch.float8_e4m3fn, torch.float32}
        error = (run(model) - expected).abs().mean() / expected.abs().mean()
        assert 0.0 < error < 0.1

    @pytest.mark.compile
    def test_blocks_are_compiled(self):
        model = JDiTModel.from_core(random_jdit()).requires_grad_(False)
        expected = run(model)
        model.compile_repeated_blocks(backend="eager", fullgraph=True)
        torch.testing.assert_close(run(model), expected)


class TestAdapter:
    @pytest.fixture
    def lora(self):
        from peft import LoraConfig

        return LoraConfig(
            r=2, target_modules=["cond_q", "x_q", "down_proj"], init_lora_weights=False
        )

    def test_changes_the_result_and_can_be_switched_off(self, lora):
        model = JDiTModel.from_core(random_jdit())
        plain = run(model)
        assert model.adapter_fingerprint() == ""
        torch.manual_seed(0)  # peft draws from the global generator
        model.add_adapter(lora)
        adapted, on = run(model), model.adapter_fingerprint()
        assert (adapted - plain).abs().max() > 0.05
        model.disable_adapters()
        torch.testing.assert_close(run(model), plain, rtol=0, atol=0)
        off = model.adapter_fingerprint()
        model.enable_adapters()
        torch.testing.assert_close(run(model), adapted, rtol=0, atol=0)
        model.set_adapters("default", 0.5)
        assert len({on, off, model.adapter_fingerprint()}) == 3

    def test_saves_loads_and_fuses(self, lora, tmp_path):
        core = random_jdit()
        model = JDiTModel.from_core(core)
        torch.manual_seed(0)
        model.add_adapter(lora)
        adapted = run(model)
        model.save_lora_adapter(tmp_path)

        loaded = JDiTModel.from_core(random_jdit())
        loaded.load_lora_adapter(tmp_path, prefix=None, use_safetensors=True)
        torch.testing.assert_close(run(loaded), adapted, rtol=0, atol=0)
        with pytest.raises(ValueError, match="an adapter is attached"):
            loaded.to_core()
        loaded.fuse_lora()
        loaded.unload_lora()
        assert list(loaded.state_dict()) == list(core.state_dict())
        assert loaded.adapter_fingerprint() == ""
        torch.testing.assert_close(run(loaded.to_core()), adapted)

    def test_only_the_adapter_is_trained(self, lora):
        model = JDiTModel.from_core(random_jdit()).requires_grad_(False)
        model.add_adapter(lora)
        trained = [name for name, p in model.named_parameters() if p.requires_grad]
        assert trained
        assert all("lora_" in name for name in trained)

    def test_loads_what_finetuning_saved(self, tmp_path):
        from lavin_dit.jdit.low_rank import LowRankFactors, attach_low_rank
        from lavin_dit.weights.adapter import Adapter, AdapterConfig, save_adapter

        core = random_jdit()
        generator = torch.Generator().manual_seed(4)
        factors = {
            name: LowRankFactors(
                torch.randn(3, 48, generator=generator) / 7,
                torch.randn(rows, 3, generator=generator),
            )
            for name, rows in (
                ("blocks.0.joint_attn.cond_k", 24),
                ("blocks.1.joint_attn.x_proj", 48),
            )
        }
        config = AdapterConfig(
            base="any",
            model="any",
            rank=3,
            height=32,
            width=48,
            num_pairs=4,
            num_steps=1,
            validation_loss=1.0,
            base_validation_loss=1.0,
        )
        save_adapter(Adapter(config=config, factors=factors), tmp_path)
        loaded = JDiTModel.from_core(random_jdit())
        loaded.load_lora_adapter(
            tmp_path, prefix=None, weight_name="adapter.safetensors", use_safetensors=True
        )
        attach_low_rank(core, factors)
        torch.testing.assert_close(run(loaded), run(core))
