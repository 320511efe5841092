import { performance } from 'node:perf_hooks';
import sharp from 'sharp';
import { NETWORK, photoPath } from './cases.js';
import { serve } from './serve.js';

// onnxruntime-node on torchvision's own network (bench/peers/export_onnx.py); not a dependency of the package:
// npm install --no-save --ignore-scripts onnxruntime-node
interface OnnxRuntime {
  InferenceSession: {
    create(
      path: string,
      options: object,
    ): Promise<{ run(feeds: object): Promise<Record<string, { dims: number[] }>> }>;
  };
  Tensor: new (type: string, data: Float32Array, dims: number[]) => object;
}

async function main(): Promise<void> {
  const { InferenceSession, Tensor } = require('onnxruntime-node') as OnnxRuntime;
  const session = await InferenceSession.create(process.argv[2]!, { logSeverityLevel: 3 });
  await serve(async () => {
    const start = performance.now();
    const { data, info } = await sharp(photoPath(NETWORK.photo)).raw().toBuffer({ resolveWithObject: true });
    const plane = info.width * info.height;
    const image = new Float32Array(3 * plane);
    for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) image[c * plane + i] = data[3 * i + c]! / 255;
    const { boxes } = await session.run({
      image: new Tensor('float32', image, [3, info.height, info.width]),
    });
    return { milliseconds: performance.now() - start, detections: boxes!.dims[0]! };
  });
}

main();
