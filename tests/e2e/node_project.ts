/**
 * Projects of Node that use the npm package as it is packed, outside this repository, whose `node_modules` would hide a
 * dependency that the package forgot.
 */

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT, runTask } from "./task_command.ts";

/** Why tests in Node are left out; `undefined` where they are not: on machines that check the project, they must run. */
export async function findMissingNode(): Promise<string | undefined> {
  if (Deno.env.get("CI") === "true") return undefined;
  try {
    const { stdout } = await new Deno.Command("node", { args: ["--version"] }).output();
    const version = new TextDecoder().decode(stdout).trim();
    await new Deno.Command("npm", { args: ["--version"] }).output();
    return Number(version.match(/^v(\d+)/)?.[1]) >= 20 ? undefined : `Node ${version} is too old`;
  } catch {
    return "there is no Node with npm";
  }
}

/** A package, packed. */
export interface PackedPackage {
  /** The folder that was packed. */
  readonly folder: string;
  /** The tarball. */
  readonly tarball: string;
  /** Removes it, and all projects with it. */
  remove(): Promise<void>;
  /** Makes an empty project that has the package, and what else is asked for. */
  makeProject(links?: Readonly<Record<string, string>>): Promise<NodeProject>;
  /** Makes an empty project. */
  makeEmptyProject(): Promise<NodeProject>;
}

/** A project of Node. */
export interface NodeProject {
  /** Where it is, without a slash at the end. */
  readonly folder: string;
  /**
   * Runs a program in it.
   *
   * @returns what it printed
   * @throws {Error} with all that it said, when it fails
   */
  run(program: string, ...args: readonly string[]): Promise<string>;
}

/** Builds the package by its task, and packs it with npm. */
export async function packPackage(): Promise<PackedPackage> {
  const root = await Deno.makeTempDir({ prefix: "clip_e_npm_" });
  const remove = () => Deno.remove(root, { recursive: true });
  let projects = 0;

  async function makeEmptyProject(): Promise<NodeProject> {
    const folder = `${root}/project_${projects++}`;
    await Deno.mkdir(`${folder}/node_modules`, { recursive: true });
    await Deno.writeTextFile(`${folder}/package.json`, '{ "type": "module", "private": true }');
    return { folder, run: (program, ...args) => runIn(folder, program, args) };
  }

  try {
    const folder = `${root}/package`;
    const { code, stderr } = await runTask("npm:build", ["--out", folder]);
    if (code !== 0) throw new Error(`The package cannot be built: ${stderr}`);
    const quietly = ["--silent", "--ignore-scripts", "--offline"];
    const name = await runIn(folder, "npm", ["pack", ...quietly, "--pack-destination", root]);
    const tarball = `${root}/${name.trim()}`;
    return {
      folder,
      tarball,
      remove,
      makeEmptyProject,
      async makeProject(links = {}) {
        const project = await makeEmptyProject();
        const modules = `${project.folder}/node_modules`;
        await Deno.mkdir(`${modules}/@clip-e/edge`, { recursive: true });
        const to = ["--strip-components=1", "-C", `${modules}/@clip-e/edge`];
        await project.run("tar", "-xzf", tarball, ...to);
        for (const [name, target] of Object.entries(links)) {
          await Deno.mkdir(dirname(`${modules}/${name}`), { recursive: true });
          await Deno.symlink(await Deno.realPath(new URL(target, ROOT)), `${modules}/${name}`);
        }
        return project;
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The package's own dependencies, as this repository has them. */
export async function dependencyLinks({ folder }: PackedPackage): Promise<Record<string, string>> {
  const { dependencies } = JSON.parse(await Deno.readTextFile(`${folder}/package.json`));
  return Object.fromEntries(
    Object.keys(dependencies).map((name) => [name, `node_modules/${name}`]),
  );
}

/** TypeScript's compiler, to be run by Node. */
export const TSC: string = fileURLToPath(new URL("node_modules/typescript/lib/tsc.js", ROOT));

async function runIn(cwd: string, program: string, args: readonly string[]): Promise<string> {
  const command = new Deno.Command(program, { args: [...args], cwd, stdin: "null" });
  const { success, stdout, stderr } = await command.output();
  const [said, complained] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (success) return said;
  throw new Error(`${program} ${args.join(" ")} failed: ${said}${complained}`);
}
