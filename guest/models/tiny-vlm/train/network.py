"""The network, for training: a convolutional and then attentive encoder of pictures, a projector,
and a causal decoder of text (in the manner of FastVLM, Vasu et al., 2024).

The encoder's convolutions are residual blocks with batch normalisation (He et al., 2015), which is
folded into their weights when they are exported. Transformer layers are pre-norm.
"""

import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Config:
    """What `config.json` says."""

    vocab_size: int
    labels: tuple
    model_type: str = "ampoule-tiny-vlm"
    image_size: int = 96
    stem_channels: tuple = (32, 64)
    stage_channels: tuple = (64, 128)
    stage_blocks: tuple = (2, 2)
    hidden_size: int = 160
    num_attention_heads: int = 5
    intermediate_size: int = 512
    encoder_layers: int = 2
    decoder_layers: int = 4
    max_text_positions: int = 96
    embedding_dimensions: int = 128
    layer_norm_eps: float = 1e-5

    @property
    def token_side(self):
        return self.image_size // 2 ** (len(self.stem_channels) + len(self.stage_channels))

    @property
    def visual_tokens(self):
        return self.token_side**2

    def to_json(self):
        return asdict(self)


class Convolution(nn.Module):
    """3x3, then batch normalisation: one convolution with a bias once training is over."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.norm(self.conv(x))


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = Convolution(channels, channels)
        self.conv2 = Convolution(channels, channels)
        nn.init.zeros_(self.conv2.norm.weight)

    def forward(self, x):
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


class Stage(nn.Module):
    def __init__(self, channels, blocks, following):
        super().__init__()
        self.blocks = nn.ModuleList(Block(channels) for _ in range(blocks))
        self.down = Convolution(channels, following, 2)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.down(x)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads = config.num_attention_heads
        self.qkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.output = nn.Linear(config.hidden_size, config.hidden_size)

    def split(self, x):
        """Queries (scaled), keys and values `[batch, heads, rows, width]` of `x`
        `[batch, rows, hidden]`."""
        batch, rows, hidden = x.shape
        qkv = self.qkv(x).view(batch, rows, 3, self.heads, -1)
        q, k, v = (part.contiguous() for part in qkv.permute(2, 0, 3, 1, 4).unbind(0))
        return q * math.sqrt(self.heads / hidden), k, v

    def join(self, context):
        batch, _, rows, _ = context.shape
        return self.output(context.transpose(1, 2).reshape(batch, rows, -1))


class Mlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.up = nn.Linear(config.hidden_size, config.intermediate_size)
        self.down = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x):
        return self.down(F.gelu(self.up(x)))


class Layer(nn.Module):
    """`dropout` is the part of what a layer adds that is left out in training."""

    def __init__(self, config, dropout=0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.norm1 = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.attention = Attention(config)
        self.norm2 = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.mlp = Mlp(config)

    def feed_forward(self, x):
        return x + self.dropout(self.mlp(self.norm2(x)))

    def forward(self, x):
        """Every row sees every row. `x` is `[batch, rows, hidden]`."""
        q, k, v = self.attention.split(self.norm1(x))
        weights = (q @ k.transpose(2, 3)).softmax(3)
        x = x + self.dropout(self.attention.join(weights @ v))
        return self.feed_forward(x)

    def keys_and_values(self, x):
        """Of rows that are only seen, `[batch, heads, rows, width]` each."""
        return self.attention.split(self.norm1(x))[1:]

    def forward_text(self, x, visual):
        """Rows of text `[batch, questions, rows, hidden]` see the picture's keys and values and
        the rows of their own question up to themselves."""
        batch, questions, rows, hidden = x.shape
        x = x.view(batch, questions * rows, hidden)
        q, k, v = self.attention.split(self.norm1(x))
        own = (batch, -1, questions, rows, hidden // q.shape[1])
        own_q, own_k, own_v = (part.view(own) for part in (q, k, v))
        later = torch.full((rows, rows), -torch.inf, device=x.device).triu(1)
        seen = q @ visual[0].transpose(2, 3)
        read = (own_q @ own_k.transpose(3, 4) + later).view(*seen.shape[:3], rows)
        weights = torch.cat([seen, read], 3).softmax(3)
        seen, read = weights.split((seen.shape[3], rows), 3)
        context = seen @ visual[1] + (read.view(*own[:4], rows) @ own_v).view(q.shape)
        x = x + self.dropout(self.attention.join(context))
        return self.feed_forward(x).view(batch, questions, rows, hidden)


class Encoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.positions = nn.Parameter(torch.randn(config.visual_tokens, config.hidden_size) * 0.02)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.encoder_layers))
        self.norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, x):
        x = x + self.positions
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class Projector(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.up = nn.Linear(config.hidden_size, config.hidden_size)
        self.down = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, x):
        return self.down(F.gelu(self.up(x)))


class SceneHead(nn.Module):
    """The picture as one vector, and the labels that fit it."""

    def __init__(self, config):
        super().__init__()
        self.embedding = nn.Linear(2 * config.hidden_size, config.embedding_dimensions)
        self.labels = nn.Linear(config.embedding_dimensions, len(config.labels))

    def forward(self, features):
        pooled = torch.cat([features.mean(1), features.max(1).values], 1)
        embedding = self.embedding(pooled)
        return embedding, self.labels(F.gelu(embedding))


class Decoder(nn.Module):
    DROPOUT = 0.1

    def __init__(self, config):
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.positions = nn.Parameter(
            torch.randn(config.max_text_positions, config.hidden_size) * 0.02
        )
        self.dropout = nn.Dropout(self.DROPOUT)
        self.layers = nn.ModuleList(
            Layer(config, self.DROPOUT) for _ in range(config.decoder_layers)
        )
        self.norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        nn.init.normal_(self.embedding.weight, std=1 / math.sqrt(config.hidden_size))

    def forward(self, visual, groups):
        """The last rows, normalised, of each group of texts `[batch, questions, length]`, and their
        rows half way."""
        rows = [
            self.dropout(self.embedding(group) + self.positions[: group.shape[2]])
            for group in groups
        ]
        for index, layer in enumerate(self.layers):
            seen = layer.keys_and_values(visual)
            rows = [layer.forward_text(x, seen) for x in rows]
            if 2 * (index + 1) == len(self.layers):
                half_way = rows
        return [self.norm(x) for x in rows], half_way

    def logits(self, rows):
        return F.linear(rows, self.embedding.weight)


class TinyVlm(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        channels = (3, *config.stem_channels)
        self.stem = nn.ModuleList(
            Convolution(inputs, outputs, 2) for inputs, outputs in zip(channels, channels[1:])
        )
        following = (*config.stage_channels[1:], config.hidden_size)
        self.stages = nn.ModuleList(
            Stage(*stage) for stage in zip(config.stage_channels, config.stage_blocks, following)
        )
        self.encoder = Encoder(config)
        self.projector = Projector(config)
        self.scene = SceneHead(config)
        self.decoder = Decoder(config)

    def features(self, images):
        """Visual features `[batch, tokens, hidden]` of pictures `[batch, side, side, 3]`, bytes."""
        x = (images.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
        x = x.contiguous(memory_format=torch.channels_last)
        for stem in self.stem:
            x = F.relu(stem(x))
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index + 1 < len(self.stages):
                x = F.relu(x)
        return self.encoder(x.flatten(2).transpose(1, 2))
