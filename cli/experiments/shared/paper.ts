/**
 * Settings and names of the paper, by data set: MNIST with LeNet-5, CIFAR-10 with ResNet-18 (section 3.3).
 *
 * @module
 */
import { listKeys } from "./records.ts";

/** Data sets with their networks. */
export const PAPER_NETWORKS = {
  mnist: { data: "mnist", model: "lenet5" },
  cifar10: { data: "cifar10", model: "resnet18" },
} as const;

/** The two kernels that the paper compares, as it writes them. */
export const KERNEL_NAMES = { lpntk: "lpNTK", pntk: "pNTK" } as const;
export type Kernel = keyof typeof KERNEL_NAMES;
export const KERNELS = listKeys(KERNEL_NAMES);

/** Picks what the paper reports of a data set; for any other set what it reports of MNIST, from whose setting that set then differs. */
export function findReported<M, C>(
  { mnist, cifar10 }: { readonly mnist: M; readonly cifar10: C },
  data: string,
): M | C {
  return data === "cifar10" ? cifar10 : mnist;
}
