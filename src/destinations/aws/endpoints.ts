import { partitionOf } from './partitions.ts';

export type Service = 'kinesis' | 's3' | 'sts';

type Variables = Readonly<Record<string, string | undefined>>;

/** The endpoint that the operator set with AWS's own variables, or undefined. */
export function customEndpoint(service: Service, variables: Variables): URL | undefined {
  const text = variables[`AWS_ENDPOINT_URL_${service.toUpperCase()}`] || variables.AWS_ENDPOINT_URL;
  if (!text) return undefined;
  if (!URL.canParse(text)) throw new Error(`AWS_ENDPOINT_URL for ${service} is not a URL`);
  return new URL(text);
}

/**
 * The endpoint of a service in a region, found as AWS's own SDKs do: AWS_ENDPOINT_URL_*, then AWS_USE_FIPS_ENDPOINT and
 * AWS_USE_DUALSTACK_ENDPOINT.
 * @throws Error if the operator asks for an endpoint that the region's partition lacks
 */
export function endpointOf(service: Service, region: string, variables: Variables): URL {
  const custom = customEndpoint(service, variables);
  if (custom) return custom;
  const fips = isOn(variables, 'AWS_USE_FIPS_ENDPOINT');
  const dualStack = isOn(variables, 'AWS_USE_DUALSTACK_ENDPOINT');
  const { id, suffix, dualStackSuffix } = partitionOf(region);
  if (service === 's3') {
    if (fips && id === 'aws-cn')
      throw new Error(`AWS_USE_FIPS_ENDPOINT is on, and S3 has no FIPS endpoint in ${region}`);
    return new URL(`https://s3${fips ? '-fips' : ''}${dualStack ? '.dualstack' : ''}.${region}.${suffix}/`);
  }
  // The plain endpoints of GovCloud are FIPS endpoints.
  const name = fips && (dualStack || id !== 'aws-us-gov') ? `${service}-fips` : service;
  return new URL(`https://${name}.${region}.${dualStack ? dualStackSuffix : suffix}/`);
}

/** As AWS's SDKs read it. */
function isOn(variables: Variables, name: string): boolean {
  return variables[name]?.toLowerCase() === 'true';
}
